// Imports a package from this folder's node_modules. It lives here because a bare name is looked up from the
// file that imports it.
export const load = (name) => import(name);
