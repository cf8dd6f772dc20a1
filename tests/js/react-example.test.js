// The example for React: its pages, compiled, in a document against a fake server.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { register } from "node:module";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseHTML } from "linkedom";

import { settle } from "./browser.js";
import { changed, HubPage } from "./hubs.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SOURCE = `${ROOT}examples/react/src`;
const HUB = new URL("../../hubbub/static/hubbub/js/hub.js", import.meta.url).href;

// React and its types are found from a folder below the project.
mkdirSync(`${ROOT}var`, { recursive: true });
const built = mkdtempSync(`${ROOT}var/react-`);
after(() => rmSync(built, { recursive: true }));
const flags =
  "--ignoreConfig --noCheck --jsx react-jsx --module esnext --moduleResolution bundler --target es2024 --outDir";
const sources = readdirSync(SOURCE).map((name) => `${SOURCE}/${name}`);
const compiled = spawnSync(`${ROOT}node_modules/.bin/tsc`, [...flags.split(" "), built, ...sources], {
  encoding: "utf8",
});
assert.equal(compiled.status, 0, compiled.stdout);
const HOOKS = `export const resolve = (name, context, next) => next(name === "hubbub-client" ? "${HUB}" : name, context);`;
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

const { window, document } = parseHTML("<!doctype html><html><body></body></html>");
Object.assign(window, { location: new URL("http://localhost/") });
Object.assign(globalThis, { window, document, IS_REACT_ACT_ENVIRONMENT: true });
Object.defineProperty(globalThis, "navigator", { configurable: true, value: window.navigator });
console.info = () => {}; // React recommends its tools.
const { act, createElement, startTransition, StrictMode, useLayoutEffect, useState } = await import("react");
const { createRoot } = await import("react-dom/client");
/** @type {{ PollPage: any }} */
const { PollPage } = await import(pathToFileURL(`${built}/poll-page.js`).href);
/** @type {{ useTopic: any }} */
const { useTopic } = await import(pathToFileURL(`${built}/use-topic.js`).href);

const state = (/** @type {number} */ n) => ({ question: "Tea?", bars: [{ id: 4, text: "Yes", n }] });
const html = () => document.body.innerHTML.replace(/<div>|<\/div>/g, "");

beforeEach(() => document.body.replaceChildren());

/** @param {any} element */
async function mount(element) {
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  await act(() => root.render(createElement(StrictMode, null, element)));
  return root;
}

test("the poll is shown, a vote is sent, and the new numbers are shown", async () => {
  const page = new HubPage();
  await page.greet();
  await mount(createElement(PollPage, { hub: page.hub, pk: 7 }));
  assert.equal(html(), "<p>Loading …</p>");
  await act(() => page.join(1, state(0)));
  assert.equal(html(), '<h1>Tea?</h1><button type="button">Yes: 0</button>');
  const click = () =>
    act(() => document.querySelector("button")?.dispatchEvent(new window.Event("click", { bubbles: true })));
  await click();
  const { ref, ...vote } = page.last;
  assert.deepEqual(vote, { option: 4, type: "vote", topic: "poll/7" });
  await act(() => page.say(changed(2, state(1))));
  assert.match(html(), /Yes: 1/);
  await click();
  await act(() => page.refuse("conflict", { detail: "The poll is closed." }));
  assert.match(html(), /<p role="alert">The poll is closed\.<\/p>$/);
});

test("StrictMode mounts twice, and the topic is joined once and left once", async () => {
  const page = new HubPage();
  await page.greet();
  const root = await mount(createElement(PollPage, { hub: page.hub, pk: 7 }));
  await act(() => page.join(1, state(0)));
  await act(() => root.unmount());
  assert.deepEqual(
    page.sent.map(({ type }) => type),
    ["join", "leave"],
  );
});

test("a poll that is closed says why, and comes back when it is joined again", async () => {
  const page = new HubPage();
  await page.greet();
  await mount(createElement(PollPage, { hub: page.hub, pk: 7 }));
  await act(() => page.refuse("not_found", { detail: "there is no such poll" }));
  assert.equal(html(), '<p role="alert">there is no such poll</p>');
  page.hub.topic("poll/7"); // Another part of the page opens it.
  await act(() => page.join(1, state(3)));
  assert.match(html(), /Yes: 3/);
});

/**
 * Components that show the same topic, and what was shown after each commit.
 *
 * @param {HubPage} page
 * @param {() => void} rendering
 */
function together(page, rendering = () => {}) {
  /** @type {string[]} */
  const shown = [];
  /** @type {(n: number) => void} */
  let setParts = () => {};
  // biome-ignore lint/correctness/noComponentHookFactories: of one test
  function Part() {
    rendering();
    return useTopic(page.hub, "poll/7").state?.bars[0].n ?? "-";
  }
  // biome-ignore lint/correctness/noComponentHookFactories: of one test
  function Parts() {
    const [parts, set] = useState(2);
    setParts = set;
    useLayoutEffect(() => {
      shown.push(html());
    });
    return Array.from({ length: parts }, (_, key) => createElement(Part, { key }));
  }
  return { shown, element: createElement(Parts), setParts: (/** @type {number} */ n) => setParts(n) };
}

test("a component that is mounted later shows the state of the others at once", async () => {
  const page = new HubPage();
  await page.greet();
  const { element, setParts, shown } = together(page);
  await mount(element);
  await act(() => page.join(1, state(1)));
  await act(() => setParts(4));
  await act(() => page.say(changed(2, state(2))));
  assert.deepEqual([shown.at(-1), html()], ["1111", "2222"]);
});

test("a component that replaces another one shows the state at once, and the topic is not left", async () => {
  const page = new HubPage();
  await page.greet();
  const poll = (/** @type {number} */ key) => createElement(PollPage, { key, hub: page.hub, pk: 7 });
  const root = await mount(poll(1));
  await act(() => page.join(1, state(1)));
  await act(() => root.render(createElement(StrictMode, null, poll(2))));
  assert.match(html(), /Yes: 1/);
  assert.equal(page.sent.length, 1);
});

test("components show the same state, also where it changes in the middle of a slow render", async () => {
  const page = new HubPage();
  await page.greet();
  let rendered = 0;
  const { element, setParts, shown } = together(page, () => {
    rendered += 1;
    const until = performance.now() + (shown.length > 1 ? 8 : 0); // React pauses after five.
    while (performance.now() < until);
  });
  const root = await mount(element);
  await act(() => page.join(1, state(1)));
  shown.push(html());
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
  rendered = 0;
  startTransition(() => setParts(6));
  while (rendered === 0) await settle();
  assert.ok(rendered < 12, "the render is not done");
  page.browser.socket.says(changed(2, state(2)));
  while (html().length < 6) await settle();
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  await act(() => root.unmount());
  assert.equal(shown.at(-1), "222222");
  for (const texts of shown) assert.equal(new Set(texts).size, 1, texts);
});

test("a topic with events gives the state after them, and one snapshot object until something changes", async () => {
  const page = new HubPage();
  await page.greet();
  /** @type {string[][]} */
  const seen = [];
  const apply = (/** @type {string[]} */ notes, /** @type {{ text: string }} */ { text }) => [...notes, text];
  // biome-ignore lint/correctness/noComponentHookFactories: of one test
  function Board() {
    const { state: notes, present } = useTopic(page.hub, "board/a", apply);
    if (notes !== undefined && seen.at(-1) !== notes) seen.push(notes);
    return `${notes ?? ""} ${present?.count ?? ""}`;
  }
  await mount(createElement(Board));
  await act(() => page.join(1, ["a"], { present: { count: 1, users: [{ id: "1", name: "alice" }] } }));
  await act(() => page.say({ type: "noted", topic: "board/a", position: 2, text: "b" }));
  assert.equal(html(), "a,b 1");
  assert.deepEqual(seen, [["a"], ["a", "b"]]);
});

test("another address shows no state of the one before, and a hundred mounts leave no membership", async () => {
  const page = new HubPage();
  await page.greet();
  const root = await mount(createElement(PollPage, { hub: page.hub, pk: 7 }));
  await act(() => page.join(1, state(7)));
  for (let pk = 8; pk < 108; pk++) {
    await act(() => root.render(createElement(StrictMode, null, createElement(PollPage, { hub: page.hub, pk }))));
    assert.equal(html(), "<p>Loading …</p>");
    for (const frame of page.browser.socket.sent.slice(-2)) {
      if (frame.type === "leave") await act(() => page.answer({}, frame));
      else if (frame.type === "join") await act(() => page.join(1, state(pk), { frame }));
    }
    assert.match(html(), new RegExp(`Yes: ${pk}`));
  }
  await act(() => root.unmount());
  await settle();
  const count = (/** @type {string} */ type) => page.sent.filter((frame) => frame.type === type).length;
  assert.deepEqual([count("join"), count("leave")], [101, 101]);
});
