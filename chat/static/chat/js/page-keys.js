// The keys of the page of rooms.

import { find } from "../../hubbub/js/dom.js";
import { isComposing } from "./composer-keys.js";
import { part } from "./parts.js";

/** @import { RoomSession } from "./room-session.js" */
/** @import { RoomView } from "./room-view.js" */

/** What F6 goes through: each pane, and where the focus goes in it, the first that is shown. A band has "Undo", or "Try now". */
const PANES = [
  ["#rooms", ".rooms-link[aria-current]", ".rooms-link", "input"],
  [".overview", ".lobby-row"],
  [".bands", ".strip-button"],
  [".log-frame", "#log"],
  [".composer", "#body"],
  ["#people", "button"],
];

/**
 * @param {HTMLElement} root
 * @param {object} page
 * @param {RoomView} page.view
 * @param {() => RoomSession | null} page.page  the open room
 * @param {(step: number, onlyUnread: boolean) => void} page.step  shows the next room of the list
 * @param {() => void} page.jump  to the field that finds rooms
 * @param {() => void} page.help  shows all keys
 */
export function listenForKeys(root, { view, page, step, jump, help }) {
  const panes = () =>
    PANES.map(([pane, ...stops]) => ({
      pane: find(root, pane, HTMLElement),
      stop: /** @type {HTMLElement[]} */ (stops.flatMap((stop) => [...root.querySelectorAll(`${pane} ${stop}`)])).find(
        (stop) => stop.checkVisibility(),
      ),
    })).filter(({ stop }) => stop !== undefined);

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]") !== null) return;
    const isArrow = event.key === "ArrowUp" || event.key === "ArrowDown";
    if (event.altKey && isArrow && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      step(event.key === "ArrowUp" ? -1 : 1, event.shiftKey);
    } else if (
      event.key.toLowerCase() === "k" &&
      (event.ctrlKey || event.metaKey) &&
      !event.altKey &&
      !event.shiftKey
    ) {
      event.preventDefault();
      jump();
    } else if (event.key === "?" && !isWriting(event.target)) {
      event.preventDefault();
      help();
    } else if (event.key === "F6") {
      event.preventDefault();
      const all = panes();
      const here = all.findIndex(({ pane }) => pane.contains(document.activeElement));
      // From the header, or from nowhere: to the pane that comes first, or last.
      const next = here < 0 && event.shiftKey ? -1 : here + (event.shiftKey ? -1 : 1);
      all.at(next % all.length)?.stop?.focus();
    } else if (event.key === "Escape") onEscape(event);
    else if (isTyping(event)) view.composer.focus(); // The browser then types into it.
  });

  part(root, "log").addEventListener("keydown", (event) => {
    if (event.target !== event.currentTarget || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const seq = view.log.lastSeen();
    const row = /** @type {HTMLElement | null} */ (root.querySelector(`article[data-seq="${seq}"]`));
    if (row === null) return;
    event.preventDefault();
    row.focus();
  });

  /** @param {KeyboardEvent} event */
  function onEscape(event) {
    const { target } = event;
    if (isComposing(event)) return; // The input method's own.
    if (target instanceof Element && target.closest(".editor, dialog, [popover], details") !== null) return;
    if (page()?.reading.news) page()?.reading.markRead();
  }
}

/**
 * Whether a key writes a character while nothing is focused that uses it.
 *
 * @param {KeyboardEvent} event
 */
function isTyping({ key, ctrlKey, metaKey, altKey, target, isComposing }) {
  if (ctrlKey || metaKey || altKey || isComposing || [...key].length !== 1 || key === " " || key === "?") return false;
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("article.message") && "elu".includes(key.toLowerCase())) return false;
  return !isWriting(target) && target.closest("[role=menu], [role=toolbar], dialog") === null;
}

/** @param {EventTarget | null} target */
function isWriting(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}
