// Another page of the site, fetched by one that is open, to take from it what is new.

// Where another tab of this browser signs out, its message comes first, and clears this page.
const RELOAD_MS = 1_000;

/** The page as a document; null: not to be had now. A redirect means that the session has ended: this page is loaded again. */
export async function pageAt(url) {
  try {
    const response = await fetch(url, { redirect: "manual" });
    if (response.type === "opaqueredirect") setTimeout(() => location.reload(), RELOAD_MS);
    return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
  } catch {
    return null;
  }
}

/** Calls `take` with the page when this one comes into sight again, or somebody turns to `part` of it; at most every `leastMs`. */
export function onReturn(url, leastMs, take, part = null) {
  let asked = Date.now();
  const ask = async () => {
    if (document.visibilityState !== "visible" || Date.now() - asked < leastMs) return;
    asked = Date.now();
    const page = await pageAt(url);
    if (page !== null) take(page);
  };
  document.addEventListener("visibilitychange", ask);
  for (const turns of ["pointerenter", "focusin"]) part?.addEventListener(turns, ask);
}
