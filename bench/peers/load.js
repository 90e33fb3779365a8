// Imports a package from this folder's node_modules. It lives here because a bare name is looked up from the
// file that imports it.
import { readFileSync } from "node:fs";

export const load = (name) => import(name);

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
/** The version that package.json asks for, which is exact. */
export const version = (name) => dependencies[name];
