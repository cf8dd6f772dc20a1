// The edge of the list of rooms: dragged, or moved by the arrow keys, and remembered.

import { gettext } from "../../hubbub/js/texts.js";

const KEY = "hubbub.rooms-width";
const [MIN, MAX, STEP] = [200, 360, 16];

/** @param {HTMLElement} root */
export function wireWidth(root) {
  const edge = document.createElement("div");
  edge.className = "rooms-edge";
  edge.tabIndex = 0;
  for (const [name, value] of Object.entries({
    role: "separator",
    "aria-orientation": "vertical",
    "aria-label": gettext("Width of the list of rooms"),
  })) {
    edge.setAttribute(name, value);
  }
  edge.setAttribute("aria-valuemin", String(MIN));
  edge.setAttribute("aria-valuemax", String(MAX));
  const isRtl = getComputedStyle(root).direction === "rtl";
  let width = 264;
  const set = (/** @type {number} */ px) => {
    width = Math.round(Math.min(MAX, Math.max(MIN, px)));
    root.style.setProperty("--rooms-width", `${width}px`);
    edge.setAttribute("aria-valuenow", String(width));
  };
  const keep = () => {
    try {
      localStorage.setItem(KEY, String(width));
    } catch {
      // Not remembered.
    }
  };
  edge.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    edge.setPointerCapture(event.pointerId);
  });
  edge.addEventListener("pointermove", (event) => {
    if (!edge.hasPointerCapture(event.pointerId)) return;
    const { left, right } = root.getBoundingClientRect();
    set(isRtl ? right - event.clientX : event.clientX - left);
  });
  edge.addEventListener("lostpointercapture", keep);
  edge.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: STEP, ArrowLeft: -STEP }[key];
    if (step === undefined) return;
    set(width + (isRtl ? -step : step));
    keep();
  });
  root.querySelector("#rooms")?.append(edge);
  try {
    set(Number(localStorage.getItem(KEY)) || width);
  } catch {
    set(width);
  }
}
