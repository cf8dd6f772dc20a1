import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { takeTitles } from "../../chat/static/chat/js/room-titles.js";
import { onReturn } from "../../hubbub/static/hubbub/js/fetched.js";
import { takeOwnName } from "../../hubbub/static/hubbub/js/own-name.js";

let listeners;

beforeEach(() => {
  listeners = [];
  globalThis.DOMParser = class {
    parseFromString(text) {
      return text;
    }
  };
});

/** A page of the user with this id, which shows the name here and in a form. */
function pageOf(id, name) {
  const [shown, field] = [
    { tagName: "BDI", textContent: name },
    { tagName: "INPUT", value: name },
  ];
  const found = {
    "[data-own-id]": [{ dataset: { ownId: id } }],
    "[data-own-name]": [shown, field],
    "[data-own-label]": [],
  };
  return {
    shown,
    field,
    visibilityState: "visible",
    querySelector: (selector) => found[selector][0],
    querySelectorAll: (selector) => found[selector],
    addEventListener: (_, listener) => listeners.push(listener),
  };
}

test("a new name stands on an open account page and in its form, and that of another user does not", () => {
  const page = (globalThis.document = pageOf("1", "ada"));
  takeOwnName(pageOf("2", "bob"));
  assert.deepEqual([page.shown.textContent, page.field.value], ["ada", "ada"]);
  takeOwnName(pageOf("1", "lovelace"));
  assert.deepEqual([page.shown.textContent, page.field.value], ["lovelace", "lovelace"]);
});

test("a page that comes into sight again asks once, and takes nothing from an answer that fails", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  globalThis.document = pageOf("1", "ada");
  const [asked, taken] = [[], []];
  let answer = { ok: true, text: async () => "a page" };
  globalThis.fetch = async (url) => {
    asked.push(url);
    if (answer === null) throw new TypeError("no network");
    return answer;
  };
  onReturn("/", 30_000, (page) => taken.push(page));
  const [comes] = listeners;
  await comes();
  assert.deepEqual(asked, [], "what the page shows is new enough");
  t.mock.timers.tick(30_000);
  await comes();
  await comes();
  assert.deepEqual([asked, taken], [["/"], ["a page"]]);
  for (answer of [{ ok: false }, null]) {
    t.mock.timers.tick(30_000);
    await comes();
  }
  assert.equal(asked.length, 3);
  assert.deepEqual(taken, ["a page"]);
  document.visibilityState = "hidden";
  t.mock.timers.tick(30_000);
  await comes();
  assert.equal(asked.length, 3);
});

test("a list that somebody turns to is asked for, by pointer and by keyboard", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  globalThis.document = pageOf("1", "ada");
  globalThis.fetch = async () => ({ ok: true, text: async () => "a page" });
  const turns = {};
  const taken = [];
  onReturn("/", 30_000, (page) => taken.push(page), {
    addEventListener: (name, run) => {
      turns[name] = run;
    },
  });
  for (const name of ["pointerenter", "focusin"]) {
    t.mock.timers.tick(30_000);
    await turns[name]();
    await turns[name]();
  }
  assert.deepEqual(taken, ["a page", "a page"]);
});

test("a page whose session has ended is loaded again: the site then says why", async (t) => {
  t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  globalThis.document = pageOf("1", "ada");
  let reloads = 0;
  globalThis.location = { reload: () => void reloads++ };
  let asked;
  globalThis.fetch = async (_, options) => {
    asked = options.redirect;
    return { ok: false, type: "opaqueredirect" };
  };
  onReturn("/", 5_000, () => assert.fail("nothing to take"));
  t.mock.timers.tick(5_000);
  await listeners[0]();
  assert.deepEqual([asked, reloads], ["manual", 0], "another tab that signs out has its turn");
  t.mock.timers.tick(1_000);
  assert.equal(reloads, 1);
});

test("the list of rooms takes the titles of the lobby; a room that is not there keeps its own", () => {
  const element = (href, textContent) => {
    const title = { textContent };
    return { title, getAttribute: () => href, querySelector: () => title };
  };
  const [lounge, gone] = [element("/rooms/lounge/", "Lounge"), element("/rooms/gone/", "Gone")];
  const list = { querySelectorAll: () => [lounge, gone] };
  takeTitles(list, { querySelectorAll: () => [element("/rooms/lounge/", "Sofa"), element("/rooms/new/", "New")] });
  assert.deepEqual([lounge.title.textContent, gone.title.textContent], ["Sofa", "Gone"]);
});
