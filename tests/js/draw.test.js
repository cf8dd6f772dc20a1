import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { parseHTML } from "linkedom";

import { give } from "./served.js";

const FOLDER = new URL("../../chat/static/chat/js/", import.meta.url);

const { document, window } = parseHTML("<html><body><div></div></body></html>");
for (const name of ["HTMLElement", "CustomEvent"]) give(name, Reflect.get(window, name));
give("document", document);
const { draw, REPAIRED } = await import("../../chat/static/chat/js/draw.js");
const { html } = await import("../../chat/static/chat/vendor/lit-html/lit-html.js");

/** @type {HTMLElement} */
let place;
let repairs = 0;
document.addEventListener(REPAIRED, () => {
  repairs += 1;
});
beforeEach(() => {
  place = document.createElement("div");
  repairs = 0;
});

test("an error of the page's own is an error", () => {
  const fails = () => {
    throw new Error("a bug");
  };
  assert.throws(() => draw(fails, place), /a bug/);
  draw(() => html`<p>shown</p>`, place);
  assert.throws(() => draw(fails, place), /a bug/);
  assert.deepEqual([place.querySelectorAll("p").length, repairs], [1, 0], "what was drawn stays");
});

test("nothing else draws", () => {
  const others = readdirSync(FOLDER).filter((name) => name.endsWith(".js") && name !== "draw.js");
  const drawing = others.filter((name) =>
    /\brender\b[^;]*from "\.\.\/vendor/.test(readFileSync(new URL(name, FOLDER), "utf8")),
  );
  assert.deepEqual(drawing, []);
});
