// Trusted Types: the policy `hubbub`, for pages whose Content-Security-Policy requires them. The policy itself stays in
// this module. A page that allows no policy of this name has raw texts, which its browser then refuses where it must.

// This one of the static files is in their folder `hubbub/js/`. In a bundle there may be no address.
const OWN = import.meta.url;
// Served by a view, for its scope.
const WORKER = /\/service-worker\.js$/;

/** @typedef {{ createHTML(text: string): any, createScriptURL(text: string): any }} Policy */

const policy = makePolicy();

/**
 * Returns the address of a worker, to be passed to `SharedWorker` and `register`.
 *
 * @param {string | URL} address  of a static file of this host, or of the service worker
 * @returns {string}  or a TrustedScriptURL, which the types of browsers do not know yet
 * @throws {TypeError} for any other address
 */
export function scriptAddress(address) {
  const text = allowed(String(address));
  return policy?.createScriptURL(text) ?? text;
}

/**
 * Parses a page that this script has fetched from its own site. Scripts in it never run.
 *
 * @param {string} text
 */
export function parsePage(text) {
  return new DOMParser().parseFromString(policy?.createHTML(text) ?? text, "text/html");
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

/** @returns {Policy | undefined} */
function makePolicy() {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  try {
    return trustedTypes?.createPolicy("hubbub", {
      createHTML: (/** @type {string} */ text) => text,
      createScriptURL: allowed,
    });
  } catch {
    return undefined; // Another name is required, or a second copy of this module was loaded.
  }
}
