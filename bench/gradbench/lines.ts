import type { Readable } from "node:stream";

/**
 * The lines of a stream, which only a line feed ends: within a JSON message a carriage return is white space and
 * U+2028 a character, where node:readline would end a line.
 */
export async function* linesOf(input: Readable): AsyncGenerator<string> {
  const parts: string[] = [];
  for await (const chunk of input.setEncoding("utf8")) {
    const [first, ...more] = (chunk as string).split("\n");
    parts.push(first!);
    for (const next of more) {
      yield parts.join("");
      parts.length = 0;
      parts.push(next);
    }
  }
  yield parts.join("");
}
