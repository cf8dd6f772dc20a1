import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { give, load } from "./served.js";

const STATIC = new URL("../../hubbub/static/", import.meta.url).href;

/** @type {string[]} */
let made = [];

class Trusted {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
  toString = () => this.text;
}

/** @param {boolean} isAllowed  whether the page allows a policy of this name */
function open(isAllowed = true) {
  made = [];
  give("location", new URL("https://chat.example.org/team/rooms/general/"));
  give("trustedTypes", {
    createPolicy(/** @type {string} */ name, /** @type {any} */ rules) {
      if (!isAllowed) throw new TypeError(`Policy "${name}" disallowed.`);
      made.push(name);
      return {
        createHTML: (/** @type {string} */ text) => new Trusted(rules.createHTML(text)),
        createScriptURL: (/** @type {string} */ text) => new Trusted(rules.createScriptURL(text)),
      };
    },
  });
  return load("hubbub/static/hubbub/js/trusted.js");
}

afterEach(() => {
  give("trustedTypes", undefined);
  give("location", undefined);
});

test("scripts of the site become trusted, by a policy that no other module gets", async () => {
  const { scriptAddress, ...others } = await open();
  assert.deepEqual([made, Object.keys(others)], [["hubbub"], ["parsePage"]]);
  for (const address of [`${STATIC}hubbub/js/stream-worker.0123456789ab.js`, "/team/service-worker.js"]) {
    const trusted = scriptAddress(address);
    assert.ok(trusted instanceof Trusted);
    assert.equal(trusted.text, new URL(address, "https://chat.example.org/").href);
  }
});

for (const address of [
  "https://elsewhere.example.org/service-worker.js",
  "/team/rooms/general/",
  "/team/service-worker.js/",
  "/team/?/service-worker.js",
  "/team/service-worker.js?of=another",
  "/media/picture.js",
  "data:text/javascript,1//service-worker.js",
  "blob:https://chat.example.org/service-worker.js",
  "javascript:1",
  `${STATIC}../settings.py`,
]) {
  test(`no other address does: ${address}`, async () => {
    const { scriptAddress } = await open();
    assert.throws(() => scriptAddress(address), /is no script of this site/);
  });
}

test("several copies of the module on a page share what it makes, and not the policy", async () => {
  const first = await open();
  const second = await load("hubbub/static/hubbub/js/trusted.js");
  assert.deepEqual(made, ["hubbub"]);
  const { trustedTypes } = /** @type {any} */ (globalThis);
  const [shared] = Object.getOwnPropertySymbols(trustedTypes).map((symbol) => trustedTypes[symbol]);
  assert.deepEqual(Object.keys(shared), ["address", "page"]);
  for (const { scriptAddress } of [first, second]) {
    assert.ok(scriptAddress("/team/service-worker.js") instanceof Trusted);
    assert.throws(() => scriptAddress("/media/picture.js"), TypeError);
  }
});

test("the page that a text becomes was parsed as trusted", async () => {
  /** @type {unknown[]} */
  const parsed = [];
  give(
    "DOMParser",
    class {
      parseFromString = (/** @type {unknown[]} */ ...given) => parsed.push(...given);
    },
  );
  const { parsePage } = await open();
  parsePage("<p>a page");
  assert.ok(parsed[0] instanceof Trusted);
  assert.deepEqual(parsed.map(String), ["<p>a page", "text/html"]);
});

test("without Trusted Types, or where the page allows no such policy, texts are passed on", async () => {
  const refused = await open(false);
  await open();
  give("trustedTypes", undefined);
  const missing = await load("hubbub/static/hubbub/js/trusted.js");
  for (const { scriptAddress } of [refused, missing]) {
    assert.equal(scriptAddress("/team/service-worker.js"), "https://chat.example.org/team/service-worker.js");
    assert.throws(() => scriptAddress("/media/picture.js"), TypeError);
  }
});
