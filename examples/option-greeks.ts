// Prices of 10,000 European calls (Black and Scholes, 1973) and their sensitivities, all in one call.
import assert from "node:assert/strict";
import { fn, scalar, valueAndGrad } from "adjoint";

const call = fn(
  { spot: scalar(), strike: scalar(), rate: scalar(), volatility: scalar(), years: scalar() },
  ({ spot, strike, rate, volatility, years }) => {
    const spread = volatility.mul(years.sqrt());
    const drift = rate.add(volatility.square().mul(0.5)).mul(years);
    const d1 = spot.div(strike).log().add(drift).div(spread);
    const normal = (z: typeof d1) => z.mul(-Math.SQRT1_2).erfc().mul(0.5);
    const discounted = strike.mul(rate.neg().mul(years).exp());
    return spot.mul(normal(d1)).sub(discounted.mul(normal(d1.sub(spread))));
  },
);
const greeks = valueAndGrad(call, { wrt: ["spot", "volatility"] });

const count = 10_000;
const strike = Float64Array.from({ length: count }, (_, i) => 50 + i / 100);
const { value, grad } = greeks.batch({ spot: 100, strike, rate: 0.03, volatility: 0.2, years: 1 });

const atTheMoney = 5_000;
console.log("price", value[atTheMoney], "delta", grad.spot[atTheMoney]);
console.log("vega", grad.volatility[atTheMoney]);

assert.equal(value.length, count);
assert.ok(Math.abs(value[atTheMoney]! - 9.413403383853016) < 1e-12);
// The delta of a call lies between 0 and 1 and falls with the strike.
assert.ok(grad.spot.every((delta, i) => delta > 0 && delta < (i === 0 ? 1 : grad.spot[i - 1]!)));
