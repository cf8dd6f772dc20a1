// What the status line of a room says.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Announcements, areSent } from "../../chat/static/chat/js/arrivals.js";

const me = { id: "1", name: "Ada" };
const bert = { id: "2", name: "Bert" };

/** @param {object} parts  of the state */
const stateOf = (parts) =>
  /** @type {import("../../chat/static/chat/js/types.js").RoomState} */ (
    /** @type {unknown} */ ({ joined: true, loading: false, lastSeq: 1, messages: [], pending: [], me, ...parts })
  );
const waiting = (/** @type {string} */ id) => ({ id, body: "x", at: "", error: null });
const refused = (/** @type {string} */ id) => ({ ...waiting(id), error: { code: "invalid", text: "No." } });
/**
 * @param {number} seq
 * @param {typeof me} user
 * @param {string} [id]
 */
const message = (seq, user, id = `id-${seq}`) => ({ seq, user, id, body: `body ${seq}`, deleted: false });

/** The words some time after each of the states, which come one after another. */
function said(/** @type {object[]} */ ...states) {
  mock.timers.enable({ apis: ["setTimeout"] });
  const place = /** @type {HTMLElement} */ ({ textContent: "" });
  const line = new Announcements(place);
  const [first = {}, ...rest] = states;
  line.start(stateOf(first));
  const words = rest.map((state) => {
    line.render(stateOf(state));
    mock.timers.tick(1_000);
    return place.textContent;
  });
  mock.timers.reset();
  return words;
}

test("messages of others that came together are one sentence", () => {
  const three = [2, 3, 4].map((seq) => message(seq, bert));
  assert.deepEqual(said({}, { lastSeq: 4, messages: three }), ["3 new messages from Bert"]);
  assert.deepEqual(said({}, { lastSeq: 2, messages: [message(2, bert)] }), ["Bert: body 2"]);
});

test("messages of others that come one after another within a second are one sentence, too", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const place = /** @type {HTMLElement} */ ({ textContent: "" });
  const line = new Announcements(place);
  line.start(stateOf({ lastSeq: 0 }));
  line.render(stateOf({ lastSeq: 0 })); // The room is empty.
  for (const last of [1, 2, 3]) {
    const messages = [1, 2, 3].slice(0, last).map((seq) => message(seq, bert));
    line.render(stateOf({ lastSeq: last, messages }));
    mock.timers.tick(300);
    assert.equal(place.textContent, "");
  }
  mock.timers.tick(100);
  assert.equal(place.textContent, "3 new messages from Bert");
  mock.timers.reset();
});

test("an own post is said as sent, and the next one is said again", () => {
  const first = { lastSeq: 2, messages: [message(2, me, "a")] };
  const second = { lastSeq: 3, messages: [message(2, me, "a"), message(3, me, "b")] };
  assert.deepEqual(said({}, { pending: [waiting("a")] }, first, { ...first, pending: [waiting("b")] }, second), [
    "",
    "Sent",
    "Sent",
    "Sent\u00a0",
  ]);
});

test("nothing is said as sent that was discarded, refused, still waits or came from another device", () => {
  const messages = [message(2, me, "a")];
  assert.equal(areSent(stateOf({ messages }), new Set()), false);
  assert.equal(areSent(stateOf({ messages: [] }), new Set(["a"])), false);
  assert.equal(areSent(stateOf({ messages: [], pending: [refused("a")] }), new Set(["a"])), false);
  assert.equal(areSent(stateOf({ messages, pending: [waiting("b")] }), new Set(["a"])), false);
  assert.equal(areSent(stateOf({ messages, pending: [refused("b")] }), new Set(["a"])), true);
});

test("a room that is shown says nothing of what is there already", () => {
  const messages = [message(7, bert), message(8, me, "a")];
  assert.deepEqual(said({ lastSeq: 8, messages }, { lastSeq: 8, messages }), [""]);
});
