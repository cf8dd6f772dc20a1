import assert from "node:assert/strict";
import { test } from "node:test";

import { linkify } from "../../chat/static/chat/js/linkify.js";

/** @param {string} text */
const links = (text) =>
  linkify(text)
    .filter(({ href }) => href !== undefined)
    .map((piece) => piece.text);

test("the pieces put together are the text", () => {
  for (const text of [
    "",
    "none",
    "https://a.org",
    "see https://a.org/x, or http://b.org.",
    "https:// https://https://x",
  ]) {
    assert.equal(
      linkify(text)
        .map((piece) => piece.text)
        .join(""),
      text,
    );
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

test("an address ends before the punctuation of any language", () => {
  for (const [text, ...expected] of [
    ["https://bank.example，请", "https://bank.example"],
    ["http://t.cn/Rz（注", "http://t.cn/Rz"],
    ["（https://example.com/b）", "https://example.com/b"],
    ["https://example.com/d、https://example.com/e", "https://example.com/d", "https://example.com/e"],
    ["`https://example.com/docs/guide`", "https://example.com/docs/guide"],
    [
      "《https://example.com/a》「https://example.com/b」【https://example.com/c】",
      "https://example.com/a",
      "https://example.com/b",
      "https://example.com/c",
    ],
    ["https://example.com。https://example.org：8080", "https://example.com", "https://example.org"],
    [
      "انظر https://example.com/a، أو https://example.com/b؛ https://example.com/c؟",
      "https://example.com/a",
      "https://example.com/b",
      "https://example.com/c",
    ],
    ["देखें https://example.com/a। और https://example.com/b॥", "https://example.com/a", "https://example.com/b"],
    [
      "https://example.com/a։ https://example.com/b። https://example.com/c။",
      "https://example.com/a",
      "https://example.com/b",
      "https://example.com/c",
    ],
    [
      "„https://example.com/a“ ‚https://example.com/b‘ ‹https://example.com/c›",
      "https://example.com/a",
      "https://example.com/b",
      "https://example.com/c",
    ],
    ["https://example.com/a—and https://example.com/b…", "https://example.com/a", "https://example.com/b"],
    ["https://example.com/a，b", "https://example.com/a"],
    ["https://example.com/a😀 https://example.com😀", "https://example.com/a", "https://example.com"],
    ["|https://example.com/a|https://example.com/b|", "https://example.com/a", "https://example.com/b"],
    ["https://example.com/a,https://example.com/b", "https://example.com/a", "https://example.com/b"],
    ["**https://example.com/a**.", "https://example.com/a"],
    ["[x](https://example.com/a)[y](https://example.com/b)", "https://example.com/a", "https://example.com/b"],
  ])
    assert.deepEqual(links(text), expected, text);
});

test("a sentence continues after a host without a space where its script has none", () => {
  for (const text of [
    "https://example.com请看",
    "https://example.comです",
    "https://example.com에서",
    "https://example.comครับ",
    "https://example.com请/看",
  ]) {
    assert.deepEqual(links(text), ["https://example.com"], text);
  }
});

test("addresses in other languages are links", () => {
  for (const text of [
    "https://bücher.example/straße",
    "https://例え.example/路径?問=1",
    "https://пример.рф/путь",
    "https://παράδειγμα.ελ",
    "https://उदाहरण.भारत/पथ",
    "https://موقع.مصر/",
    "https://web.archive.org/web/2020/https://example.com/",
    "http://localhost:8000/rooms/general/",
    "http://[::1]:8000/",
    "http://wiki/Page_(x)?a[]=1&b={2}#c",
    "HTTPS://Example.COM/X",
  ])
    assert.deepEqual(links(text), [text]);
});

test("the host that is opened is the host that is shown", () => {
  for (const [text, shown] of [
    ["https://www.p\u0430ypal.com", "https://www.xn--pypal-4ve.com"], // a Cyrillic letter
    ["https://\u0430\u0440\u0440\u04cf\u0435.com/x", "https://xn--80ak6aa92e.com/x"], // nothing but
    ["https://paypal.c\u043em", "https://paypal.xn--cm-fmc"],
    ["https://g\u03bfogle.com", "https://xn--gogle-rce.com"], // Greek
    ["https://\u0261oogle.com", "https://xn--oogle-qmc.com"], // another Latin letter
    ["https://payp\u1ea1l.com", "https://xn--paypl-m11b.com"], // a dot in the line below the link
    ["https://tw\u0131tter.com", "https://xn--twtter-q9a.com"],
    ["https://paypaI.com/", "https://paypai.com/"], // a capital i
    ["https://\uff47oogle.com", "https://google.com"], // full width
    ["https://\u{1d429}aypal.com", "https://paypal.com"],
    ["https://example.com\u30celogin.evil.example/", "https://example.xn--comlogin-634g.evil.example/"], // looks like a slash
    ["https://example.com.\u30ce.evil.example/", "https://example.com.xn--ldk.evil.example/"],
    ["https://موقع.مصر/1", "https://xn--4gbrim.xn--wgbh1c/1"], // shown from the right, the 1 would come first
    ["http://0x7f.1/", "http://127.0.0.1/"],
    ["http://2130706433/", "http://127.0.0.1/"],
    ["http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"],
  ]) {
    const [link] = linkify(text);
    assert.equal(link.text, shown, text);
    assert.equal(link.href, new URL(text).href);
  }
});

test("an address that looks like another host is no link", () => {
  for (const text of [
    "https://good.example@evil.example/",
    "https://good.example:443@evil.example/",
    "https://good.example:pa$$@evil.example/",
    "https://good.example%2F@evil.example/",
    "https://user:word@good.example/",
    "https://example%2ecom/",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https://pay\u200bpal.example", // an address without the mark
    "https://pay\u00adpal.example",
    "https://pay\u2060pal.example",
    "https://pay\ufe0fpal.example",
    "https://\ufeffevil.example",
    "https://good\u3002evil", // a dot
    "https://good.example\u2044evil.example", // a slash
    "https://good.example\u2215evil.example",
    "https://good.example\ufffdevil.example",
    "https://a!b.example",
    "https://a.example:99999/",
  ])
    assert.deepEqual(links(text), [], text);
  assert.deepEqual(links("https://good.example\\@evil.example"), ["https://good.example"]);
  assert.deepEqual(links("https://good.example/@evil.example"), ["https://good.example/@evil.example"]);
  assert.deepEqual(links("https://good.example?@evil.example"), ["https://good.example?@evil.example"]);
});

test("a link contains no direction mark", () => {
  const [before, link, after] = linkify(
    "Please sign in at \u202ehttps://evil.example/nigol/moc.knab//:sptth\u202c today",
  );
  assert.equal(before.text, "Please sign in at \u202e");
  assert.equal(link.text, "https://evil.example/nigol/moc.knab//:sptth");
  assert.equal(link.text, link.href);
  assert.equal(after.text, "\u202c today");
  for (const control of "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") {
    assert.deepEqual(links(`https://a.example/x${control}gnp.exe`), ["https://a.example/x"]);
    assert.deepEqual(links(`https://a.example${control}.b.example`), []);
  }
});

const PARTS = [
  ..."()[]{}<>.,:;!?'\"`*_~|@#/\\%&=+$^- \n\tI1az",
  ..."漢가ครéßпאب。，、）（「」．：／＠ー・ノ…—’\u0301\u0338\u200b\u200d\u202e\u2066\u3164\ufeff\ufe0f\u00ad😀❤①𝐩\ud800\udc00",
  "http://",
  "https://",
  "HTTP://",
  "://",
  "http://a",
  "https://a.b",
  "http://a@",
  "http://a:1",
  "http://a.b/(",
  "http://[::1]",
  "xn--",
  ".com",
  "www.",
  "漢字",
  "https://a.b/漢,",
];

/**
 * The least of a few times: other programs run as well.
 *
 * @param {string} text
 */
function milliseconds(text) {
  let least = Infinity;
  for (let round = 0; round < 8 && least > 1; round += 1) {
    const began = performance.now();
    linkify(text);
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

/**
 * A link opens what it shows.
 *
 * @param {string} text
 */
function check(text) {
  let at = 0;
  for (const { text: shown, href } of linkify(text)) {
    if (href === undefined) {
      at = text.indexOf(shown, at);
      assert.ok(at >= 0, JSON.stringify(text));
      at += shown.length;
      continue;
    }
    assert.equal(new URL(shown).href, href, JSON.stringify(text));
    assert.match(shown, /^https?:\/\/[^/@]/i);
    assert.doesNotMatch(shown, /[\s\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/u, JSON.stringify(text));
  }
}

test("4,000 hostile characters take less than 5 ms", () => {
  for (const start of ["http://a", "http://a.bc/", ""]) {
    for (const part of PARTS) {
      const text = (start + part.repeat(4_000)).slice(0, 4_000);
      check(text);
      const took = milliseconds(text);
      assert.ok(took < 5, `${JSON.stringify(start + part)}… took ${took} ms`);
    }
  }
});

test("random text: a link opens the host that it shows, and parsing stays fast", () => {
  let seed = 20261126;
  /** @param {number} below */
  const random = (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  for (let round = 0; round < 3_000; round += 1) {
    const parts = Array.from({ length: 1 + random(6) }, () => PARTS[random(PARTS.length)]);
    const text = Array.from({ length: 12 }, () => parts[random(parts.length)]).join("");
    check(`http://${text}`);
    check(`https://good.example${text}evil.example/`);
    if (round % 10 !== 0) continue;
    const long = text.repeat(4_000).slice(0, 4_000);
    check(long);
    const took = milliseconds(long);
    assert.ok(took < 5, `${JSON.stringify(text)}… took ${took} ms`);
  }
});
