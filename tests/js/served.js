// Scripts import those of other apps by the address that all are served at; here each app has a folder of its own.

import { register } from "node:module";

const ROOT = new URL("../../", import.meta.url).href;
const HOOKS = `export const resolve = (name, context, next) =>
  next(name.replace(/^\\.\\.\\/\\.\\.\\/(\\w+)\\/js\\//, "${ROOT}$1/static/$1/js/"), context);`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

let number = 0;

/** Import a script as on a page of its own. */
export const load = (path) => import(`../../${path}?page=${++number}`);

/** Have a global be this. */
export function give(name, value) {
  Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
}
