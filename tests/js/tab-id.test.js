import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { give, load } from "./served.js";
import { storage } from "./storage.js";

/** Pages of one tab share a storage; a duplicated tab gets a copy of it. */
class Tab {
  storage = storage();

  duplicate() {
    const copy = new Tab();
    Object.assign(copy.storage, this.storage);
    return copy;
  }

  /** A page of the tab, which runs until it is hidden. */
  async page() {
    /** @type {Map<string, Set<() => void>>} */
    const listeners = new Map();
    const enter = () => {
      give("sessionStorage", this.storage);
      give("addEventListener", (/** @type {string} */ type, /** @type {() => void} */ run) => {
        listeners.set(type, (listeners.get(type) ?? new Set()).add(run));
      });
      give("removeEventListener", (/** @type {string} */ type, /** @type {() => void} */ run) =>
        listeners.get(type)?.delete(run),
      );
    };
    enter();
    const { forgetTab, tabId } = await load("chat/static/chat/js/outbox-tabs.js");
    const say = (/** @type {string} */ type) => {
      enter();
      for (const run of listeners.get(type) ?? []) run();
    };
    return {
      id: /** @type {string} */ (tabId()),
      tabId,
      forgetTab,
      hide: () => say("pagehide"),
      show: () => say("pageshow"),
    };
  }
}

/** @type {Tab} */
let tab;
beforeEach(() => {
  tab = new Tab();
});

test("a tab has the same id on each of its pages", async () => {
  const first = await tab.page();
  assert.equal(first.tabId(), first.id);
  first.hide();
  const second = await tab.page();
  assert.equal(second.id, first.id);
  second.hide();
  // "Back" to a page that the browser kept whole.
  first.show();
  assert.equal(first.tabId(), first.id);
  assert.notEqual((await tab.duplicate().page()).id, first.id);
});

test("a duplicated tab has an id of its own, and both keep theirs", async () => {
  const first = await tab.page();
  const copy = tab.duplicate();
  const other = await copy.page();
  assert.notEqual(other.id, first.id);
  first.hide();
  other.hide();
  assert.deepEqual([(await tab.page()).id, (await copy.page()).id], [first.id, other.id]);
});

test("after signing out nothing stays of the id", async () => {
  const page = await tab.page();
  page.forgetTab();
  page.hide();
  assert.deepEqual(Object.keys(tab.storage), []);
});

test("where the browser forbids storage, the page has an id", async () => {
  Object.defineProperty(tab, "storage", { value: undefined });
  const page = await tab.page();
  assert.ok(page.id.length > 10);
  page.hide();
  page.forgetTab();
});
