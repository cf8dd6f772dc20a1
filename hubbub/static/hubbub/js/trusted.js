// Trusted Types: the policy `hubbub`, for pages whose Content-Security-Policy requires them. The policy itself stays in
// this module. A page that allows no policy of this name has raw texts, which its browser then refuses where it must.

// This one of the static files is in their folder `hubbub/js/`. In a bundle there may be no address.
const OWN = import.meta.url;
// Served by a view, for its scope.
const WORKER = /\/service-worker\.js$/;

// Of the page's trustedTypes. Several scripts of a page may have this module in them, and a policy can be made once.
const SHARED = Symbol.for("hubbub.trusted");

/** @typedef {{ createHTML(text: string): any, createScriptURL(text: string): any }} Policy */
/** @typedef {{ address(text: string): string, page(text: string): Document }} Made  neither passes on any text */

const made = share();

/**
 * Returns the address of a worker, to be passed to `SharedWorker` and `register`.
 *
 * @param {string | URL} address  of a static file of this host, or of the service worker
 * @returns {string}  or a TrustedScriptURL, which the types of browsers do not know yet
 * @throws {TypeError} for any other address
 */
export const scriptAddress = (address) => made.address(String(address));

/**
 * Parses a page that this script has fetched from its own site. Scripts in it never run.
 *
 * @param {string} text
 */
export const parsePage = (text) => made.page(text);

/** @returns {Made} */
function share() {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  if (trustedTypes === undefined) return makeBy(undefined);
  trustedTypes[SHARED] ??= makeBy(makePolicy(trustedTypes));
  return trustedTypes[SHARED];
}

/**
 * @param {Policy | undefined} policy
 * @returns {Made}
 */
function makeBy(policy) {
  return Object.freeze({
    address: (text) => policy?.createScriptURL(text) ?? allowed(text),
    page: (text) => new DOMParser().parseFromString(policy?.createHTML(text) ?? text, "text/html"),
  });
}

/**
 * @param {string} text
 * @returns {string}
 */
function allowed(text) {
  const { location } = globalThis;
  const { href, pathname, search } = new URL(text, location?.href);
  if (href.startsWith(new URL("../../", OWN).href)) return href;
  // A blob: address has the origin of its page as well, but does not begin with it.
  if (href.startsWith(`${location?.origin}/`) && WORKER.test(pathname) && search === "") return href;
  throw new TypeError(`${href} is no script of this site`);
}

/**
 * @param {any} trustedTypes
 * @returns {Policy | undefined} undefined: the page allows no policy of this name
 */
function makePolicy(trustedTypes) {
  try {
    return trustedTypes.createPolicy("hubbub", {
      createHTML: (/** @type {string} */ text) => text,
      createScriptURL: allowed,
    });
  } catch {
    return undefined;
  }
}
