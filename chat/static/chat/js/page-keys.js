// The keys of the page of rooms.

import { find } from "../../hubbub/js/dom.js";
import { isComposing } from "./composer-keys.js";
import { part } from "./parts.js";

/** @import { RoomSession } from "./room-session.js" */
/** @import { RoomView } from "./room-view.js" */

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
    [
      root.querySelector("#rooms .rooms-link[aria-current], #rooms a, #rooms button"),
      part(root, "log"),
      find(root, "#body", HTMLElement),
    ]
      .concat(root.querySelector("#people:not([hidden]) button"))
      .filter((pane) => pane instanceof HTMLElement && pane.checkVisibility());

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
      const all = /** @type {HTMLElement[]} */ (panes());
      const here = all.findLastIndex(
        (pane) => pane.compareDocumentPosition(document.activeElement ?? root) & 4 || pane === document.activeElement,
      );
      all[(here + (event.shiftKey ? -1 : 1) + all.length) % all.length]?.focus();
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
