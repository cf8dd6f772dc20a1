import assert from "node:assert/strict";
import { test } from "node:test";

import { parseHTML } from "linkedom";

import { give } from "./served.js";

const { followChoices, tellChoices } = await import("../../hubbub/static/hubbub/js/choices.js");

/**
 * @param {string} theme
 * @param {string} clock
 * @param {string} metas
 */
function pageWith(theme, clock, metas) {
  const { document } = parseHTML(
    `<html data-theme="${theme}" data-clock="${clock}"><head><meta name="viewport" content="x">${metas}</head></html>`,
  );
  // linkedom has `media` of no meta.
  for (const meta of document.querySelectorAll("meta")) {
    Object.defineProperty(meta, "media", { value: meta.getAttribute("media") ?? "" });
  }
  give("document", document);
  return document;
}

/** What a page tells the others. @param {string} user */
function told(user) {
  /** @type {any[]} */
  const messages = [];
  tellChoices(user, /** @type {any} */ ({ postMessage: (/** @type {any} */ message) => messages.push(message) }));
  return messages[0];
}

test("an open page takes theme and clock of a newer page of its user, and says what has changed", () => {
  pageWith("dark", "24", '<meta name="color-scheme" content="dark"><meta name="theme-color" content="#13151a">');
  const news = told("1");
  const document = pageWith("system", "24", '<meta name="color-scheme" content="light dark">');
  /** @type {string[]} */
  const changes = [];
  const channel = /** @type {any} */ ({});
  const note = { theme: () => changes.push("theme"), clock: () => changes.push("clock") };
  followChoices("1", note, channel);
  channel.onmessage({ data: { ...news, user: "2" } });
  assert.deepEqual([document.documentElement.dataset.theme, changes], ["system", []], "of another user");
  channel.onmessage({ data: news });
  assert.equal(document.documentElement.dataset.theme, "dark");
  assert.deepEqual(
    [...document.querySelectorAll("meta")].map((meta) => Reflect.get(meta, "content") ?? meta.getAttribute("content")),
    ["x", "dark", "#13151a"],
  );
  channel.onmessage({ data: news });
  channel.onmessage({ data: { ...news, clock: "12" } });
  assert.equal(document.documentElement.dataset.clock, "12");
  assert.deepEqual(changes, ["theme", "clock"], "once each");
});
