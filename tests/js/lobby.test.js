import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "./browser.js";
import { give, load } from "./served.js";

/** The part of the lobby that the script uses. */
class Lobby {
  visibilityState = "visible";
  activeElement = null;
  /** The visibility of the page changed. */
  turn = () => {};

  /**
   * @param {string} user
   * @param {string} rooms
   */
  constructor(user, rooms) {
    this.user = user;
    this.name = { textContent: user, dataset: {} };
    this.column = new Column(rooms);
  }

  /** @param {string} selector */
  querySelector(selector) {
    if (selector === "main .column") return this.column;
    if (selector === "[data-own-id]") return { dataset: { ownId: this.user } };
    return selector === "[data-own-name]" ? this.name : null;
  }

  querySelectorAll() {
    return [];
  }

  /**
   * @param {string} name
   * @param {() => void} changed
   */
  addEventListener(name, changed) {
    if (name === "visibilitychange") this.turn = changed;
  }

  /** @param {Column} column */
  importNode(column) {
    return column;
  }
}

class Column {
  /** @type {string[] | null} */
  shown = null;

  /** @param {string} rooms */
  constructor(rooms) {
    this.outerHTML = rooms;
    this.childNodes = [rooms];
  }

  contains() {
    return false;
  }

  /** @param {string[]} nodes */
  replaceChildren(...nodes) {
    this.shown = nodes;
  }
}

/**
 * Alice's open lobby refreshes itself in a browser that `user` is signed in with: what it shows, and how often it reloads.
 *
 * @param {string} user
 */
async function refreshed(user) {
  const page = new Lobby("alice", "<p>Alice's</p>");
  let reloads = 0;
  give("document", page);
  give("location", { href: "/", reload: () => void reloads++ });
  give("fetch", async () => ({ ok: true, text: async () => "" }));
  give(
    "DOMParser",
    class {
      parseFromString = () => new Lobby(user, `<p>${user}'s</p>`);
    },
  );
  give("setTimeout", () => 0);
  await load("chat/static/chat/js/lobby.js");
  page.turn();
  await settle();
  return { shown: page.column.shown, reloads };
}

test("the lobby of the same user shows new rooms", async () => {
  assert.deepEqual(await refreshed("alice"), { shown: ["<p>alice's</p>"], reloads: 0 });
});

test("an open lobby reloads when another user signs in, and shows none of their rooms before", async () => {
  assert.deepEqual(await refreshed("bob"), { shown: null, reloads: 1 });
});
