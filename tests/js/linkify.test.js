import assert from "node:assert/strict";
import { test } from "node:test";

import { linkify } from "../../chat/static/chat/js/linkify.js";

const links = (text) => linkify(text).filter(({ href }) => href !== undefined).map((piece) => piece.text);

test("the pieces put together are the text", () => {
  for (const text of ["", "none", "https://a.org", "see https://a.org/x, or http://b.org.", "https:// https://https://x"]) {
    assert.equal(linkify(text).map((piece) => piece.text).join(""), text);
  }
});

test("an address ends before the sentence's own punctuation", () => {
  assert.deepEqual(links("See https://a.org/x, https://b.org. (https://c.org/d) “https://e.org”!"), [
    "https://a.org/x",
    "https://b.org",
    "https://c.org/d",
    "https://e.org",
  ]);
});

test("brackets that were opened inside an address belong to it", () => {
  assert.deepEqual(links("(https://en.example.org/wiki/A_(b))"), ["https://en.example.org/wiki/A_(b)"]);
});

test("only http and https become links", () => {
  assert.deepEqual(links("javascript:alert(1) data:text/html,x ftp://a.org mailto:a@b.org //a.org www.a.org"), []);
  assert.deepEqual(links("xhttps://a.org"), []);
});

test("markup in an address stays text", () => {
  const [link, rest] = linkify('https://a.org/"><img/src=x>');
  assert.equal(link.href, "https://a.org/");
  assert.equal(rest.text, '"><img/src=x>');
});

test("a long text takes no long time", () => {
  const began = performance.now();
  linkify("https://a.org/".concat(")".repeat(4_000)));
  linkify("https://".repeat(500));
  assert.ok(performance.now() - began < 1_000);
});
