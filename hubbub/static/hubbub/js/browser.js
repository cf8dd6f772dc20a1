// What the connection needs of the browser, in one place, so that a test can give it something else.

export function browser() {
  return {
    root: document.documentElement,
    open(path) {
      const url = new URL(path, location.href);
      url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      return new WebSocket(url);
    },
    signIn() {
      const here = location.pathname + location.search;
      location.assign(`${document.documentElement.dataset.signIn}?next=${encodeURIComponent(here)}`);
    },
    onWake(wake) {
      addEventListener("online", wake);
      addEventListener("pageshow", wake);
      document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake());
    },
    onOffline: (offline) => addEventListener("offline", offline),
    // A clock that nobody sets: what is measured by it are spans.
    now: () => performance.now(),
    random: Math.random,
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
  };
}
