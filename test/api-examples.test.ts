// Every example ends in an assertion; running it is the test.
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const folder = new URL("../examples/", import.meta.url);
const examples = readdirSync(folder).filter((file) => file.endsWith(".ts"));

beforeAll(() => {
  vi.spyOn(console, "log").mockImplementation(() => {});
});
afterAll(() => {
  vi.restoreAllMocks();
});

test("there are examples", () => {
  expect(examples.length).toBeGreaterThan(5);
});

test.each(examples)("%s", async (file) => {
  await import(new URL(file, folder).href);
});
