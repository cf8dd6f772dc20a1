// Fetches another page of the site, from which an open page takes new content.

import { parsePage } from "./trusted.js";

// Another tab that signs out sends its message first, and clears this page.
const RELOAD_MS = 1_000;

/**
 * Fetches a page. A redirect means that the session has ended: then the open page is loaded again.
 *
 * @param {string} url
 * @returns {Promise<Document | null>} null when the page cannot be fetched now
 */
export async function pageAt(url) {
  try {
    const response = await fetch(url, { redirect: "manual" });
    if (response.type === "opaqueredirect") setTimeout(() => location.reload(), RELOAD_MS);
    return response.ok ? parsePage(await response.text()) : null;
  } catch {
    return null;
  }
}

/**
 * Fetches a page when the open one becomes visible again, or when the user points at or focuses `part` of it.
 *
 * @param {string} url
 * @param {number} minMs  between two requests
 * @param {(page: Document) => void} take  receives the fetched page
 * @param {Pick<Element, "addEventListener"> | null} part
 */
export function onReturn(url, minMs, take, part = null) {
  let askedAt = Date.now();
  const ask = async () => {
    if (document.visibilityState !== "visible" || Date.now() - askedAt < minMs) return;
    askedAt = Date.now();
    const page = await pageAt(url);
    if (page !== null) take(page);
  };
  document.addEventListener("visibilitychange", ask);
  for (const event of ["pointerenter", "focusin"]) part?.addEventListener(event, ask);
}
