import assert from "node:assert/strict";
import { test } from "node:test";

import { composerPage, fire, press, type } from "./composer-page.js";

composerPage("composer"); // The scripts look at the browser while they are loaded.
const { Composer } = await import("../../chat/static/chat/js/composer.js");
const { PAUSE_MS } = await import("../../chat/static/chat/js/composer-counter.js");

/** @param {ReturnType<typeof composerPage>} page */
function opened(page, { isEdit = false } = {}) {
  /** @type {string[]} */
  const sent = [];
  /** @type {string[]} */
  const changes = [];
  let cancelled = 0;
  const composer = new Composer(page.form, {
    send: (body) => {
      sent.push(body);
      return !isEdit;
    },
    changed: (text) => changes.push(text),
    ...(isEdit && { cancel: () => (cancelled += 1) }),
  });
  composer.limit = 100;
  return { composer, sent, changes, cancelled: () => cancelled };
}

/**
 * @param {ParentNode} form
 * @param {string} role
 */
const part = (form, role) => /** @type {HTMLElement} */ (form.querySelector(`[data-role=${role}]`));

test("Enter sends the cleaned text and empties the field", () => {
  const page = composerPage("composer");
  const { composer, sent, changes } = opened(page);
  type(page.field, "\n  hello \n");
  assert.equal(press(page.field, "Enter"), false);
  assert.deepEqual(sent, ["  hello "]);
  assert.equal(composer.text, "");
  assert.deepEqual(changes, ["\n  hello \n"]);
});

test("Shift+Enter, Alt+Enter, a fence and an input method break the line or do nothing", () => {
  const page = composerPage("composer");
  const { sent } = opened(page);
  type(page.field, "hello");
  for (const more of [
    { shiftKey: true },
    { altKey: true },
    { isComposing: true },
    { keyCode: 229 }, // Safari, right after a composition has ended.
    { keyCode: 229, ctrlKey: true },
  ]) {
    assert.equal(press(page.field, "Enter", more), true, JSON.stringify(more));
  }
  type(page.field, "```\ncode");
  assert.equal(press(page.field, "Enter"), true);
  assert.deepEqual(sent, []);
  press(page.field, "Enter", { ctrlKey: true });
  assert.deepEqual(sent, ["```\ncode"]);
});

test("on a touch screen Enter breaks, and the key of the screen says so", () => {
  const page = composerPage("composer");
  page.media.matches = true;
  const { sent } = opened(page);
  assert.equal(page.field.enterKeyHint, "enter");
  type(page.field, "hello");
  assert.equal(press(page.field, "Enter"), true);
  assert.deepEqual(sent, []);
  fire(page.form, "submit");
  assert.deepEqual(sent, ["hello"]);
});

test("the count is shown in words near the limit, and spoken after a pause", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const page = composerPage("composer");
  const { sent } = opened(page);
  const [counter, spoken] = [part(page.form, "counter"), part(page.form, "spoken")];
  type(page.field, "x".repeat(89));
  assert.equal(counter.hidden, true);
  type(page.field, "x".repeat(99));
  assert.equal(counter.textContent, "1 character left");
  context.mock.timers.tick(PAUSE_MS - 1);
  type(page.field, "x".repeat(105));
  context.mock.timers.tick(PAUSE_MS - 1);
  assert.equal(spoken.textContent, "");
  assert.equal(counter.textContent, "5 characters too many");
  context.mock.timers.tick(1);
  assert.equal(spoken.textContent, "5 characters too many");
  spoken.textContent = "";
  press(page.field, "Enter");
  assert.equal(spoken.textContent, "5 characters too many", "at once to a user who tries to send it");
  assert.deepEqual(sent, []);
});

test("Escape ends an edit without changes, and asks otherwise", () => {
  const page = composerPage("editor");
  const { composer, cancelled } = opened(page, { isEdit: true });
  composer.original = "as it was";
  composer.text = "as it was";
  press(page.field, "Escape");
  assert.equal(cancelled(), 1);
  type(page.field, "changed");
  press(page.field, "Escape", { isComposing: true });
  assert.equal(part(page.form, "question").hidden, true);
  press(page.field, "Escape");
  assert.equal(part(page.form, "question").hidden, false);
  const answers = [...part(page.form, "question").querySelectorAll("button")].map((button) => button.dataset.role);
  assert.deepEqual(answers, ["keep", "discard"], "the safe answer is first, as in dialogs");
  assert.equal(cancelled(), 1);
  fire(part(page.form, "question"), "keydown", { key: "Escape" });
  assert.equal(part(page.form, "question").hidden, true);
  assert.equal(composer.text, "changed");
  fire(part(page.form, "cancel"), "click");
  fire(part(page.form, "discard"), "click");
  assert.equal(cancelled(), 2);
});

test("an edit that a reload brought back is a change", () => {
  const page = composerPage("editor");
  const { composer, cancelled } = opened(page, { isEdit: true });
  composer.original = "as it was";
  composer.text = "as it is to be";
  press(page.field, "Escape");
  assert.equal(cancelled(), 0);
});

test("Escape in the field for a new message is the page's own", () => {
  const page = composerPage("composer");
  opened(page);
  type(page.field, "hello");
  assert.equal(press(page.field, "Escape"), true);
  assert.equal(page.field.value, "hello");
});

test("a composer that is locked shows the reason, sends nothing, and keeps its text", () => {
  const page = composerPage("composer");
  const { composer, sent } = opened(page);
  type(page.field, "half a thou");
  composer.locked = "This room is archived.";
  assert.equal(part(page.form, "lock").hidden, false);
  assert.equal(part(page.form, "why").textContent, "This room is archived.");
  assert.equal(part(page.form, "copy").hidden, false);
  assert.equal(page.field.readOnly, true);
  fire(page.form, "submit");
  press(page.field, "b", { code: "KeyB", ctrlKey: true });
  assert.deepEqual([composer.text, sent], ["half a thou", []]);
  composer.text = "";
  assert.equal(part(page.form, "copy").hidden, true);
  composer.locked = "";
  assert.equal(part(page.form, "lock").hidden, true);
  assert.equal(page.field.readOnly, false);
  composer.disabled = true;
  assert.equal(part(page.form, "lock").hidden, false);
});

test("a key formats the selection, and the change is told", () => {
  const page = composerPage("composer");
  const { changes } = opened(page);
  type(page.field, "some words");
  page.field.setSelectionRange(5, 10);
  assert.equal(press(page.field, "b", { code: "KeyB", ctrlKey: true }), false);
  assert.equal(page.field.value, "some **words**");
  assert.equal(changes.at(-1), "some **words**");
  assert.deepEqual([page.field.selectionStart, page.field.selectionEnd], [7, 12]);
});
