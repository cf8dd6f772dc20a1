// Scripts import those of other apps by their served address; in the project each app has a folder of its own.

import { register } from "node:module";

const ROOT = new URL("../../", import.meta.url).href;
const HOOKS = `export const resolve = (name, context, next) =>
  next(name.replace(/^\\.\\.\\/\\.\\.\\/(\\w+)\\/js\\//, "${ROOT}$1/static/$1/js/"), context);`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

let number = 0;

/**
 * Imports a script as on a page of its own.
 *
 * @param {string} path  from the root of the project
 */
export const load = (path) => import(`../../${path}?page=${++number}`);

/**
 * Sets a global.
 *
 * @param {string} name
 * @param {unknown} value
 */
export function give(name, value) {
  Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
}
