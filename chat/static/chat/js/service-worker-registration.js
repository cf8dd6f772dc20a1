// Registers the service worker of the chat, once the page is loaded and idle. The page works without it.

import { scriptAddress } from "../../hubbub/js/trusted.js";

const IDLE_MS = 1_000; // Where browsers do not say that they are idle.

/** @type {HTMLElement | null} */
const script = document.querySelector("[data-service-worker]");

async function register() {
  try {
    // It may come with each release: only its imports may be cached, and it has none.
    await navigator.serviceWorker.register(scriptAddress(script?.dataset.serviceWorker ?? ""), {
      updateViaCache: "imports",
    });
  } catch {
    // The server is away, or the browser keeps nothing for this site, as in a private window.
  }
}

function whenIdle() {
  if (typeof requestIdleCallback === "function") requestIdleCallback(register);
  else setTimeout(register, IDLE_MS);
}

// A page without TLS has none.
if ("serviceWorker" in navigator) {
  if (document.readyState === "complete") whenIdle();
  else addEventListener("load", whenIdle, { once: true });
}
