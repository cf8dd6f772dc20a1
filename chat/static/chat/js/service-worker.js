// The service worker of the chat. A view serves it, with a first line `self.SITE = {…}`: see chat/service_worker.py.
//
// It keeps static files whose name has a hash, and one page that is the same for everybody. Nothing of a user is kept:
// pages come from the network, and all other requests do not concern it.

const MAX_FILES = 500; // A release has some hundred.
const HASHED = /\.[0-9a-f]{12}\.[^./]+$/; // As Django's ManifestFilesMixin names them.

/**
 * @typedef {object} Site
 * @property {boolean} isOn  false: the worker ends itself
 * @property {string} version  of the release
 * @property {string} scope  path of the chat
 * @property {string} statics  path of static files
 * @property {string} offline  path of the page that is shown without a network
 * @property {string[]} files  paths of its files
 */

const worker = /** @type {any} */ (self);
/** @type {Site} */
const site = worker.SITE;
// Another chat of this host has caches of its own. A path has no space.
const OWN = `hubbub ${site.scope} `;
const NAME = `${OWN}${site.version}`;
const STATICS = new URL(site.statics, location.origin).href;
const OFFLINE = [site.offline, ...site.files].map((path) => new URL(path, location.origin).href);

worker.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (/** @type {any} */ event) => {
  /** @type {Request} */
  const request = event.request;
  if (!site.isOn || request.method !== "GET" || request.headers.has("range")) return;
  if (request.mode === "navigate") event.respondWith(page(event));
  else if (isHashed(request.url)) event.respondWith(file(event));
  else if (OFFLINE.includes(request.url)) event.respondWith(network(request));
});

async function install() {
  if (site.isOn) {
    const cache = await caches.open(NAME);
    await cache.addAll(OFFLINE); // Of the user they have the language alone.
  }
  // Open pages of an older release need nothing of its worker.
  await worker.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith(OWN) && (name !== NAME || !site.isOn)) await caches.delete(name);
  }
  if (site.isOn) await worker.registration.navigationPreload?.enable();
  else await worker.registration.unregister();
}

/** @param {string} url */
function isHashed(url) {
  const { href, pathname } = new URL(url);
  return href.startsWith(STATICS) && href.startsWith(location.origin) && HASHED.test(pathname);
}

/**
 * The page of a navigation, always from the network.
 *
 * @param {any} event
 * @returns {Promise<Response>}
 */
async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return (await kept(site.offline)) ?? Response.error();
  }
}

/**
 * @param {Request} request  for a file of the offline page
 * @returns {Promise<Response>}
 */
async function network(request) {
  try {
    return await fetch(request);
  } catch {
    return (await kept(request)) ?? Response.error();
  }
}

/**
 * A file that never changes.
 *
 * @param {any} event
 * @returns {Promise<Response>}
 */
async function file(event) {
  const found = await kept(event.request);
  if (found !== undefined) return found;
  const response = await fetch(event.request);
  if (response.ok && response.type === "basic") event.waitUntil(keep(event.request, response.clone()));
  return response;
}

/**
 * @param {RequestInfo} request
 * @returns {Promise<Response | undefined>} undefined also where the browser's storage fails
 */
async function kept(request) {
  try {
    return await caches.match(request, { cacheName: NAME, ignoreVary: true });
  } catch {
    return undefined;
  }
}

/**
 * Keeps a file. Past the limit the oldest one goes.
 *
 * @param {Request} request
 * @param {Response} response
 */
async function keep(request, response) {
  try {
    const cache = await caches.open(NAME);
    await cache.put(request, response);
    const files = (await cache.keys()).filter(({ url }) => !OFFLINE.includes(url));
    for (const old of files.slice(0, Math.max(0, files.length - MAX_FILES))) await cache.delete(old);
  } catch {
    // The storage is full or forbidden.
  }
}
