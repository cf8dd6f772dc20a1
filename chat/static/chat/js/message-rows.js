// One row of the log as an element, made from the page's templates. Text is inserted as text, never as markup.

import { copyOf, find } from "../../hubbub/js/dom.js";
import { showAvatar } from "./avatars.js";
import { Composer } from "./composer.js";
import { formatted } from "./formatted-text.js";
import { clockTime, dayName, fullTime } from "./times.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { MessageRow, PendingRow, Row, RowCalls } from "./types.js" */

/**
 * A row's element. `start` must run once the element is in the document: an editor measures itself, and takes the focus.
 * @typedef {{ element: HTMLElement, start?: () => void }} BuiltRow
 */

export class MessageRows {
  /** @type {RowCalls} */
  #calls;
  #limit = Infinity;

  /** @param {RowCalls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /** @param {number} chars  of one message */
  set limit(chars) {
    this.#limit = chars;
  }

  /**
   * A text that changes whenever the row's element must be made anew.
   *
   * @param {Row} row
   */
  signature(row) {
    switch (row.kind) {
      case "message": {
        const { user, body, at, edited_at, deleted } = row.message;
        // A new name must not replace an editor that is in use.
        const shown = row.editing ? "" : [user.name, user.picture];
        return JSON.stringify([
          shown,
          body,
          at,
          edited_at,
          deleted,
          row.starts,
          row.mayEdit,
          row.mayDelete,
          row.editing,
        ]);
      }
      case "pending":
        return JSON.stringify([row.user.name, row.user.picture, row.post.error, row.starts]);
      case "day":
        return dayName(row.at);
      case "older":
        return String(row.loading);
      default:
        return "";
    }
  }

  /**
   * @param {Row} row
   * @returns {BuiltRow}
   */
  build(row) {
    switch (row.kind) {
      case "message":
        return row.editing ? this.#editor(row) : { element: this.#message(row) };
      case "pending":
        return { element: this.#pending(row) };
      case "day": {
        const element = stamp("day-row");
        part(element, "label").textContent = dayName(row.at);
        return { element };
      }
      case "older": {
        const element = stamp("older-row");
        const button = part(element, "older");
        button.textContent = row.loading ? "Loading…" : "Older messages";
        button.addEventListener("click", this.#calls.older);
        return { element };
      }
      default:
        return { element: stamp(`${row.kind}-row`) };
    }
  }

  /** @param {MessageRow} row */
  #message(row) {
    const { message, own } = row;
    const element = shell(row, message.user, message.at);
    element.dataset.seq = String(message.seq);
    element.classList.toggle("is-own", own);
    const body = part(element, "body");
    if (message.deleted) {
      element.classList.add("is-deleted");
      body.textContent = "message deleted";
    } else {
      body.append(formatted(message.body));
      if (message.edited_at !== null) markEdited(body, message.edited_at);
    }
    if (row.mayEdit || row.mayDelete) {
      const actions = stamp("message-actions");
      const [edit, remove] = [part(actions, "edit"), part(actions, "delete")];
      edit.hidden = !row.mayEdit;
      edit.addEventListener("click", () => this.#calls.edit(message.seq));
      remove.hidden = !row.mayDelete;
      remove.addEventListener("click", () => this.#calls.remove(message.seq));
      element.append(actions);
    }
    return element;
  }

  /** @param {PendingRow} row */
  #pending(row) {
    const { post } = row;
    const element = shell(row, row.user, post.at);
    element.classList.add("is-own", post.error === null ? "is-pending" : "is-failed");
    part(element, "body").append(formatted(post.body));
    if (post.error !== null) {
      const failed = stamp("failed-line");
      part(failed, "reason").textContent = post.error.text;
      // A frame that is too long would close the connection again.
      const retry = part(failed, "retry");
      retry.hidden = post.error.code === "too_long";
      retry.addEventListener("click", () => this.#calls.retry(post.id));
      part(failed, "discard").addEventListener("click", () => this.#calls.discard(post.id));
      part(element, "content").append(failed);
    }
    return element;
  }

  /**
   * @param {MessageRow} row
   * @returns {BuiltRow}
   */
  #editor(row) {
    const { message } = row;
    const element = shell(row, message.user, message.at);
    const form = stamp("editor");
    part(element, "body").replaceWith(form);
    const editor = new Composer(form, {
      send: (body) => {
        this.#calls.save(message.seq, body, part(form, "problem"));
        return false;
      },
      cancel: this.#calls.cancel,
      changed: (text) => this.#calls.edited(message, text),
    });
    part(form, "cancel").addEventListener("click", this.#calls.cancel);
    element.classList.add("is-edited-now");
    const start = () => {
      editor.limit = this.#limit;
      editor.text = this.#calls.editOf(message.seq) ?? message.body;
      editor.focus();
    };
    return { element, start };
  }
}

/**
 * A copy of the element in a template.
 *
 * @param {string} id
 */
export function stamp(id) {
  return copyOf(find(document, `#${id}`, HTMLTemplateElement));
}

/**
 * The element that has a role in the page's script.
 *
 * @param {ParentNode} root
 * @param {string} role
 */
export function part(root, role) {
  return find(root, `[data-role=${role}]`, HTMLElement);
}

/**
 * A row with its author and time, and an empty body.
 *
 * @param {{ starts: boolean }} row
 * @param {Person} user
 * @param {string} at
 */
function shell({ starts }, user, at) {
  const element = stamp("message-row");
  element.classList.toggle("is-start", starts);
  showAvatar(part(element, "avatar"), user);
  part(element, "name").textContent = user.name;
  for (const time of element.querySelectorAll("time")) {
    time.dateTime = at;
    time.title = fullTime(at);
    time.textContent = clockTime(at);
  }
  return element;
}

/**
 * Adds the page's own word to the end of a body. Direction marks in the body end before it.
 *
 * @param {HTMLElement} body
 * @param {string} at
 */
function markEdited(body, at) {
  const mark = document.createElement("span");
  mark.className = "edited";
  mark.dir = "ltr";
  mark.title = fullTime(at);
  mark.textContent = "(edited)";
  const last = body.lastElementChild;
  if (last?.tagName !== "P") {
    body.append(mark);
    return;
  }
  const text = document.createElement("span");
  text.className = "message-text";
  text.append(...last.childNodes);
  last.append(text, " ", mark);
}
