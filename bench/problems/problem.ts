import type { Contender } from "../harness/measure.js";
import type { NativeProblem } from "../harness/native.js";
import type { Peers } from "../harness/peers.js";

/** A function at one size, and everyone who computes its value and gradient from the same inputs. */
export interface Problem {
  readonly name: string;
  readonly size: string;
  /** The first contender is the hand-written JavaScript that all others are compared with. */
  contenders(peers: Peers): Contender[];
  /** The same for the programs of bench/native. */
  native?(): NativeProblem;
}
