"""The browser client as an npm package: an application installs it, imports it, and checks its own types against it."""

import json
import re
import tarfile
from pathlib import Path

import pytest

import hubbub
from scripts.npm_package import CODE, npm_version
from tests.support.npm import installed_client, run, type_check
from tests.support.servers import ROOT

CONTENT = {
    "package.json", "README.md", "LICENSE", "index.d.ts", "types.d.ts",
    "hub.js", "hub.d.ts", "errors.js", "errors.d.ts", "join-lane.js", "join-lane.d.ts", "listeners.js",
    "listeners.d.ts", "replica.js", "replica.d.ts", "subscription.js", "subscription.d.ts",
    "abort.js", "backoff.js", "browser.js", "heartbeat.js", "new-id.js", "presence.js", "queue.js", "socket.js",
    "stream-socket.js", "ways.js", "shared-socket.js", "shared-stream.js", "shared-topic.js", "stream-worker.js",
    "resumed-joins.js", "timers.js", "trusted.js",
}  # fmt: skip
# A page of another host, by a token, and then over HTTP. `WebSocket` and `fetch` are this program's.
PROGRAM = """
import assert from "node:assert/strict";

const names = () => Object.getOwnPropertyNames(globalThis).sort();
const listened = [];
for (const name of ["setInterval", "addEventListener"]) globalThis[name] = (...given) => listened.push(given);
const sockets = [];
globalThis.WebSocket = class {
  sent = [];
  constructor(url) {
    this.url = String(url);
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  say(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }
};
const posts = [];
const streams = [];
const hello = { type: "hello", connection: "c1", stream: "c1", user: { id: "1", name: "alice" }, heartbeat_ms: 20000,
  limits: { frame_bytes: 65536 } };
globalThis.fetch = async (address, options) => {
  if (address.endsWith("/events")) {
    const body = new ReadableStream({ start: (stream) => streams.push(stream) });
    streams.at(-1).enqueue(new TextEncoder().encode(`data: ${JSON.stringify(hello)}\\n\\n`));
    return new Response(body);
  }
  posts.push([address, JSON.parse(options.body)]);
  const { ref, topic, type } = posts.at(-1)[1];
  const answer = type === "join" ? { epoch: "e", position: 1, complete: false, state: topic } : { result: 3 };
  return Response.json({ type: "ok", ref, topic, ...answer });
};
const turn = (ms = 5) => new Promise((done) => setTimeout(done, ms));

const before = names();
const { Hubbub, Lost, Refused, Topic } = await import("hubbub-client");
const token = "hub_1_x";
const abort = new AbortController();
const other = new Hubbub({ path: "wss://live.example.org/ws/", token, signal: abort.signal });
assert.equal(sockets[0].url, "wss://live.example.org/ws/");
sockets[0].say({ type: "auth.required", within_ms: 5000 });
assert.deepEqual(sockets[0].sent, [{ type: "auth", token }]);
sockets[0].say(hello);
const states = [];
const poll = other.topic("poll/7", { state: (state) => states.push(state) });
assert.ok(poll instanceof Topic);
const { ref } = sockets[0].sent.at(-1);
sockets[0].say({ type: "ok", ref, topic: "poll/7", epoch: "e", position: 1, complete: false, state: { n: 1 } });
await turn();
assert.deepEqual(states, [{ n: 1 }]);
const voting = poll.send("vote", { option: 4 });
await turn();
const vote = sockets[0].sent.at(-1);
assert.deepEqual(vote, { option: 4, type: "vote", topic: "poll/7", ref: vote.ref });
sockets[0].say({ type: "error", ref: vote.ref, code: "conflict", detail: "The poll is closed." });
await assert.rejects(voting, (error) => error instanceof Refused && error.code === "conflict");

// A second hub of the page is not concerned.
Math.random = () => 0;
const hub = new Hubbub({ path: "https://example.org/ws/", http: "https://example.org/live/" });
for (let tries = 0; tries < 2; tries++) {
  sockets.at(-1).onclose({ code: 1006, reason: "" });
  await turn();
}
const seven = await new Promise((state) => hub.topic("poll/7", { state }));
assert.equal(seven, "poll/7");
assert.equal(await hub.topic("poll/8").send("vote", { option: 1 }), 3);
assert.match(posts[0][0], /^https:\\/\\/example\\.org\\/live\\/command\\?\\w+=c1$/);

const lost = poll.send("vote", { option: 5 });
abort.abort();
await assert.rejects(lost, Lost);
assert.ok(sockets[0].closed);
assert.equal(hub.connection, "open");
hub.close();
assert.deepEqual(names(), before);
assert.ok(listened.every(([, , options]) => options.signal.aborted));
console.log("done");
"""
TYPED = """
import { Hubbub, Lost, Refused } from "hubbub-client";
import type { HubOptions, Topic, TopicHandlers } from "hubbub-client";

interface State { question: string; bars: { id: number; n: number }[] }
interface Noted { type: "noted"; position: number; text: string }

const path: string = "/ws/live/";
const hub = new Hubbub({ path });
const abort = new AbortController();
const poll = hub.topic<State, Noted>("poll/7", {
  state(state, joined, isAnew) {
    const [bar]: { id: number; n: number }[] = state.bars;
    const text: string = `${state.question} ${bar?.n ?? 0} ${joined?.position ?? 0} ${isAnew}`;
    console.info(text);
  },
  event: ({ text }) => console.info(text.length),
  present: (present) => console.info(present?.users?.map(({ name }) => name) ?? []),
  closed: (code, detail) => console.info(code.length + detail.length),
}, { signal: abort.signal });
const topic: Topic = poll;
const options: HubOptions = { path, http: null, token: "hub_1_x", state: (state, { via }) => console.info(state, via) };
const handlers: TopicHandlers<State> = {};
await topic.send("vote", { option: 4 }, { keep: true, signal: abort.signal }).catch((error: unknown) => {
  if (error instanceof Refused || error instanceof Lost) console.info(error.code, error.retryAfterMs ?? 0);
});
console.info(hub.user?.name, hub.connection === "open", options, handlers, topic.position ?? 0);
"""
# By what is wrong: a line, and the text that the compiler names.
MISTAKES = {
    "a field that the state has not": ('hub.topic<State>("poll/7", { state: (state) => state.total });', "'total'"),
    "a handler that there is not": ('hub.topic("poll/7", { changed() {} });', "'changed'"),
    "an option of another type": ("new Hubbub({ path: 7 });", "'number'"),
    "a private module": ('await import("hubbub-client/socket.js");', "'hubbub-client/socket.js'"),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built archive in dist/, and a project that has installed it."""
    folder = tmp_path_factory.mktemp("npm")
    installed_client(folder)
    return folder


@pytest.mark.slow
def test_the_archive_holds_what_is_needed_and_nothing_else(client: Path) -> None:
    [archive] = (client / "dist").iterdir()
    assert archive.name == f"hubbub-client-{npm_version(hubbub.__version__)}.tgz"
    with tarfile.open(archive) as packed:
        assert {name.removeprefix("package/") for name in packed.getnames()} == CONTENT
    installed = client / "project" / "node_modules" / "hubbub-client"
    for path in installed.glob("*.js"):
        assert path.read_text() == (CODE / path.name).read_text()
    assert (installed / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    described = json.loads((installed / "package.json").read_text())
    assert (described["type"], described["sideEffects"], described["license"]) == ("module", False, "MIT")
    assert not {"dependencies", "scripts"} & described.keys()
    assert archive.stat().st_size < 40_000


@pytest.mark.slow
def test_a_program_uses_the_installed_package(client: Path) -> None:
    (client / "project" / "program.js").write_text(PROGRAM)
    assert run(["node", "program.js"], client / "project") == "done\n"


@pytest.mark.slow
def test_a_strict_program_has_types_and_its_mistakes_are_found(client: Path) -> None:
    program = client / "project" / "program.ts"
    program.write_text(TYPED)
    checked = type_check(client / "project", noEmit=True, lib=["es2024", "dom"])
    assert checked.returncode == 0, checked.stdout
    program.write_text(TYPED + "".join(f"{line}\n" for line, _ in MISTAKES.values()))
    found = type_check(client / "project", noEmit=True, lib=["es2024", "dom"]).stdout.splitlines()
    errors = [line for line in found if line.startswith("program.ts")]
    assert len(errors) == len(MISTAKES), found
    for error, (what, (_, name)) in zip(errors, MISTAKES.items(), strict=True):
        assert name in error, what


def test_the_version_is_written_as_npm_does() -> None:
    assert [npm_version(version) for version in ("1.2.0", "1.2.0a1", "1.2.0b2", "1.2.0rc3")] == [
        "1.2.0", "1.2.0-alpha.1", "1.2.0-beta.2", "1.2.0-rc.3",
    ]  # fmt: skip


def test_the_exported_names_are_those_of_the_script() -> None:
    script = (CODE / "hub.js").read_text()
    exported = set(re.findall(r"^export class (\w+)", script, re.MULTILINE))
    exported |= {
        name for names in re.findall(r"^export \{ (.*) \}", script, re.MULTILINE) for name in names.split(", ")
    }
    declared = re.search(r"^export \{ (.*) \}", (ROOT / "scripts/npm/index.d.ts").read_text(), re.MULTILINE)
    assert declared
    assert set(declared[1].split(", ")) == exported
