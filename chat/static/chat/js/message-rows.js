// One row of the log as an element, from the page's templates. Text goes in as text, never as markup.

import { Composer } from "./composer.js";
import { linkify } from "./linkify.js";
import { initialsOf, tintOf } from "./room-state.js";
import { clockTime, dayName, fullTime } from "./times.js";

export class MessageRows {
  #calls;
  #limit = Infinity;

  /** `calls`: what a row may ask for: edit, edited, editOf, cancel, save, remove, retry, discard, older. */
  constructor(calls) {
    this.#calls = calls;
  }

  set limit(chars) {
    this.#limit = chars;
  }

  /** Changes whenever the row would look different. */
  signature(row) {
    switch (row.kind) {
      case "message": {
        const { user, body, at, edited_at, deleted } = row.message;
        // While somebody edits it, a new name would take the text from under their hands.
        const name = row.editing ? "" : user.name;
        return JSON.stringify([
          name,
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
        return JSON.stringify([row.user.name, row.post.error, row.starts]);
      case "day":
        return dayName(row.at);
      default:
        return String(row.loading);
    }
  }

  build(row) {
    switch (row.kind) {
      case "message":
        return row.editing ? this.#editor(row) : this.#message(row);
      case "pending":
        return this.#pending(row);
      case "day": {
        const line = stamp("day-row");
        part(line, "label").textContent = dayName(row.at);
        return line;
      }
      case "older": {
        const older = stamp("older-row");
        const button = part(older, "older");
        button.textContent = row.loading ? "Loading…" : "Older messages";
        button.addEventListener("click", this.#calls.older);
        return older;
      }
      default:
        return stamp(`${row.kind}-row`);
    }
  }

  #message(row) {
    const { message, own } = row;
    const element = this.#shell(row, message.user, message.at);
    element.dataset.seq = message.seq;
    element.classList.toggle("is-own", own);
    const body = part(element, "body");
    if (message.deleted) {
      element.classList.add("is-deleted");
      body.textContent = "message deleted";
    } else {
      const text = textOf(message.body);
      if (message.edited_at === null) body.append(text);
      else body.append(isolated(text), " ", edited(message.edited_at));
    }
    if (row.mayEdit || row.mayDelete) {
      const actions = stamp("message-actions");
      const edit = part(actions, "edit");
      edit.hidden = !row.mayEdit;
      edit.addEventListener("click", () => this.#calls.edit(message.seq));
      part(actions, "delete").hidden = !row.mayDelete;
      part(actions, "delete").addEventListener("click", () => this.#calls.remove(message.seq));
      element.append(actions);
    }
    return element;
  }

  #pending(row) {
    const { post } = row;
    const element = this.#shell(row, row.user, post.at);
    element.classList.add("is-own", post.error === null ? "is-pending" : "is-failed");
    part(element, "body").append(textOf(post.body));
    if (post.error !== null) {
      const failed = stamp("failed-line");
      part(failed, "reason").textContent = post.error.text;
      // What is too long for a frame would only break the connection again.
      part(failed, "retry").hidden = post.error.code === "too_long";
      part(failed, "retry").addEventListener("click", () => this.#calls.retry(post.id));
      part(failed, "discard").addEventListener("click", () => this.#calls.discard(post.id));
      part(element, "content").append(failed);
    }
    return element;
  }

  #editor(row) {
    const { message } = row;
    const element = this.#shell(row, message.user, message.at);
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
    element.start = () => {
      editor.limit = this.#limit;
      editor.text = this.#calls.editOf(message.seq) ?? message.body;
      editor.focus();
    };
    return element;
  }

  #shell({ starts }, user, at) {
    const element = stamp("message-row");
    element.classList.toggle("is-start", starts);
    const avatar = part(element, "avatar");
    avatar.textContent = initialsOf(user.name);
    if (user.id === null) avatar.classList.add("is-gone");
    else avatar.classList.add(`tint-${tintOf(user.name)}`);
    part(element, "name").textContent = user.name;
    for (const time of element.querySelectorAll("time")) {
      time.dateTime = at;
      time.title = fullTime(at);
      time.textContent = clockTime(at);
    }
    return element;
  }
}

/** A copy of the template's one element. */
export function stamp(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export function part(element, role) {
  return element.querySelector(`[data-role=${role}]`);
}

/** What somebody wrote, with its links. No direction that it forces on its letters reaches into a link. */
function textOf(body) {
  const element = document.createDocumentFragment();
  for (const { text: words, href } of linkify(body)) {
    if (href === undefined) {
      element.append(words);
      continue;
    }
    const link = document.createElement("a");
    link.href = href;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    link.dir = "ltr";
    link.textContent = words;
    element.append(link);
  }
  return element;
}

/** Where words of the page follow: a direction that a text forces on its letters ends with it. */
function isolated(text) {
  const element = document.createElement("span");
  element.className = "message-text";
  element.append(text);
  return element;
}

function edited(at) {
  const mark = document.createElement("span");
  mark.className = "edited";
  mark.dir = "ltr";
  mark.title = fullTime(at);
  mark.textContent = "(edited)";
  return mark;
}
