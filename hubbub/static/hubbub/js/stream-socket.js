// A connection over HTTP that looks like a WebSocket: frames come as server-sent events, and commands go by POST.
//
// `docs/http.md` describes the addresses below `path`.

import { guarded } from "./errors.js";
import { ResumedJoins } from "./resumed-joins.js";

/** @import { Frame, StreamEnv, Timer, WebSocketLike } from "./types.js" */

/** @typedef {Frame & { ref?: number, topic?: string, token?: string }} Command */

/** What a stream leaves to the next one. @typedef {{ id: string }} StreamMemory */

const ABNORMAL = 1006;
const CLAIM_MS = 10_000; // For joins of topics that the stream has resumed; then it leaves them.
const ANSWER_MS = 10_000; // Of a command that the stream runs; the server gives it four seconds.
const LATE_MS = 5_000; // Past a heartbeat of the server, which writes at least a comment within each.
// By status of an answer that is no stream: the close code that a WebSocket would have had.
/** @type {Record<number, number>} */
const CLOSES = { 403: 4005, 429: 4102, 503: 4103 };

/** @implements {WebSocketLike} */
export class StreamSocket {
  bufferedAmount = 0;
  /** @type {WebSocketLike["onmessage"]} */
  onmessage = null;
  /** @type {WebSocketLike["onclose"]} */
  onclose = null;
  #path;
  #env;
  #memory;
  #resumed;
  /** @type {Timer | null} */
  #claiming = null;
  #end = new AbortController();
  #isClosed = false;
  #name = "";
  #csrf = "";
  #token = "";
  #aliveAt = 0;
  #heartbeatMs = 20_000; // Until `hello` says.
  /** @type {Map<number, Timer>} by ref: until the answer is overdue */
  #expected = new Map();
  /** @type {Set<number>} refs of answers that came early */
  #answered = new Set();
  /** @type {Map<string, Promise<void>>} by topic: the last of its commands, which the next one waits for */
  #lanes = new Map();

  /**
   * @param {string} path  of the addresses, with a slash at its end
   * @param {StreamEnv} env
   * @param {StreamMemory} memory  of the streams of this path, one after another
   */
  constructor(path, env, memory = { id: "" }) {
    this.#path = path;
    this.#env = env;
    this.#memory = memory;
    this.#resumed = new ResumedJoins(memory.id, {
      deliver: (data) => this.#deliver(data),
      restart: () => {
        memory.id = "";
        this.#closed(ABNORMAL, "Positions differ");
      },
    });
    this.#read();
  }

  /** @param {string} text */
  send(text) {
    /** @type {Command} */
    const command = JSON.parse(text);
    if (command.type === "ping") this.#pong(command);
    else if (command.type === "auth") {
      this.#token = command.token ?? "";
      this.#read();
    } else if (command.type !== "join" || !this.#resumed.claim(/** @type {any} */ (command))) {
      const topic = command.topic ?? "";
      if (command.type === "leave") this.#resumed.drop(topic);
      const before = this.#lanes.get(topic) ?? Promise.resolve();
      const lane = before.then(() => this.#post(text));
      this.#lanes.set(topic, lane);
      lane.then(() => this.#lanes.get(topic) === lane && this.#lanes.delete(topic));
    }
  }

  close() {
    this.#isClosed = true;
    this.#end.abort();
    this.#env.clearTimeout(this.#claiming);
    for (const timer of this.#expected.values()) this.#env.clearTimeout(timer);
  }

  /** @param {Command} command */
  #pong({ ref }) {
    const isAlive = this.#env.now() - this.#aliveAt < this.#heartbeatMs + LATE_MS;
    if (isAlive) queueMicrotask(() => this.#deliver(JSON.stringify({ type: "pong", ref })));
  }

  async #read() {
    try {
      const answer = await this.#env.fetch(`${this.#path}events${this.#resumed.query}`, {
        // It always carries an Origin. A GET has Sec-Fetch-Site, but not without TLS, of old browsers, or past proxies
        // that remove it.
        method: "POST",
        headers: {
          Accept: "text/event-stream",
          ...(this.#resumed.count > 0 && { "Last-Event-ID": this.#memory.id }),
          ...this.#authorization,
        },
        signal: this.#end.signal,
        cache: "no-store",
      });
      if (answer.ok && answer.body !== null) await this.#readBody(answer.body);
      else await this.#refused(answer);
    } catch {
      this.#closed(ABNORMAL, "");
    }
  }

  /** @param {ReadableStream<Uint8Array>} body */
  async #readBody(body) {
    const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done || this.#isClosed) break;
      this.#aliveAt = this.#env.now();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) this.#take(block);
    }
    this.#closed(ABNORMAL, "");
  }

  /** @param {string} block */
  #take(block) {
    // No pattern with `.` or `$`: texts may have line separators of Unicode, which end no line of a stream.
    const lines = block.split("\n");
    const data = lines.find((line) => line.startsWith("data: "))?.slice("data: ".length);
    if (data === undefined) {
      if (block.startsWith("id: ")) this.#memory.id = block.slice("id: ".length);
      return;
    }
    if (lines.includes("event: close")) {
      const { code, reason } = JSON.parse(data);
      if (code >= 4000) this.#memory.id = "";
      this.#closed(code, reason);
    } else {
      const isHello = this.#name === "";
      if (isHello) {
        const hello = JSON.parse(data);
        this.#name = hello.stream;
        this.#csrf = hello.csrf ?? "";
        this.#heartbeatMs = hello.heartbeat_ms ?? this.#heartbeatMs;
      }
      const { text, isOwn } = this.#noteAnswer(data);
      if (!isHello && isOwn && this.#resumed.take(text)) return;
      this.#deliver(text);
      if (isHello) this.#begin();
    }
  }

  /** The stream is open, and its client has had the time to join its topics. */
  #begin() {
    if (this.#resumed.count === 0) this.#memory.id = "";
    else {
      this.#claiming = this.#env.setTimeout(() => {
        for (const topic of this.#resumed.unclaimed()) this.send(JSON.stringify({ type: "leave", topic, ref: "left" }));
      }, CLAIM_MS);
    }
  }

  /** @param {Response} answer  to the request for the stream */
  async #refused(answer) {
    const error = await readError(answer);
    // Signed out, or a server that does not know such an id.
    if (answer.status === 400 || answer.status === 401) this.#memory.id = "";
    // Else it is of a proxy, or of a site without these addresses.
    if (error === null) this.#closed(ABNORMAL, "");
    else if (answer.status === 401 && this.#token === "")
      this.#deliver(JSON.stringify({ type: "auth.required", within_ms: 60_000 }));
    else {
      this.#deliver(JSON.stringify(error));
      this.#closed(answer.status === 401 ? 4001 : (CLOSES[answer.status] ?? ABNORMAL), error.detail);
    }
  }

  /** @param {string} text */
  async #post(text) {
    if (this.#isClosed) return;
    const { ref, ...command } = JSON.parse(text);
    const own = typeof ref === "number" ? ref + this.#resumed.count : ref;
    this.bufferedAmount += text.length;
    try {
      const answer = await this.#env.fetch(`${this.#path}command?stream=${encodeURIComponent(this.#name)}`, {
        method: "POST",
        headers: {
          Accept: "application/json",
          "Content-Type": "application/json",
          ...(this.#csrf && { "X-CSRFToken": this.#csrf }),
          ...this.#authorization,
        },
        body: JSON.stringify({ ...command, ref: own }),
        signal: this.#end.signal,
      });
      this.#aliveAt = this.#env.now();
      if (answer.status === 202) {
        if (typeof ref === "number") this.#expect(ref);
        return;
      }
      const frame = answer.ok ? await answer.json() : await readError(answer);
      // Signed out, or an old token: the next stream says which.
      if (frame === null) this.#closed(ABNORMAL, "");
      else if (frame.code === "csrf" || answer.status === 401) {
        this.#memory.id = "";
        this.#closed(ABNORMAL, "");
      } else this.#deliver(JSON.stringify({ ...frame, ref }));
    } catch {
      this.#closed(ABNORMAL, "");
    } finally {
      this.bufferedAmount -= text.length;
    }
  }

  /**
   * The answer comes over the stream. It is lost where the stream has ended on its process.
   *
   * @param {number} ref
   */
  #expect(ref) {
    if (this.#answered.delete(ref)) return;
    this.#expected.set(
      ref,
      this.#env.setTimeout(() => this.#closed(ABNORMAL, "No answer"), ANSWER_MS),
    );
  }

  /**
   * @param {string} data
   * @returns {{ text: string, isOwn: boolean }} with the `ref` of the client; `isOwn`: no answer to a command of the client
   */
  #noteAnswer(data) {
    const [head, start, number] = /^(\{"type":"(?:ok|error)","ref":)(\d+)/.exec(data) ?? [];
    const ref = Number(number) - this.#resumed.count;
    if (head === undefined || ref <= 0) return { text: data, isOwn: true };
    const timer = this.#expected.get(ref);
    // Not expected yet: it came before the answer of the request.
    if (timer === undefined) this.#answered.add(ref);
    else this.#env.clearTimeout(timer);
    this.#expected.delete(ref);
    return { text: `${start}${ref}${data.slice(head.length)}`, isOwn: false };
  }

  /** @returns {Record<string, string>} */
  get #authorization() {
    return this.#token === "" ? {} : { Authorization: `Bearer ${this.#token}` };
  }

  /** @param {string} data */
  #deliver(data) {
    // An error of the page ends no connection, as with a WebSocket.
    if (!this.#isClosed) guarded(() => this.onmessage?.(/** @type {any} */ ({ data })));
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    if (this.#isClosed) return;
    this.close();
    this.onclose?.(/** @type {any} */ ({ code, reason }));
  }
}

/**
 * @param {Response} answer
 * @returns {Promise<any>} the error of the server; null: it is of something else on the way
 */
async function readError(answer) {
  try {
    const frame = await answer.json();
    return frame?.type === "error" ? frame : null;
  } catch {
    return null;
  }
}
