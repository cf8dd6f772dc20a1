// Another page of the site, fetched by one that is open, to take from it what is new.

/** The page as a document; null: not to be had now, or somebody has to sign in first. */
export async function pageAt(url) {
  try {
    const response = await fetch(url, { redirect: "error" });
    return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
  } catch {
    return null;
  }
}

/** Calls `take` with the page whenever this one comes into sight again, at most every `leastMs`. */
export function onReturn(url, leastMs, take) {
  let asked = Date.now();
  document.addEventListener("visibilitychange", async () => {
    if (document.visibilityState !== "visible" || Date.now() - asked < leastMs) return;
    asked = Date.now();
    const page = await pageAt(url);
    if (page !== null) take(page);
  });
}
