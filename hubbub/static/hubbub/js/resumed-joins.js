// Topics that a new stream names in its address, with the positions of the stream before: the server joins them by itself,
// in the process of the stream. A join by POST may reach another process, which needs Redis to hand it over.

/** @typedef {{ ref: number, topic: string, after?: number, epoch?: string }} Wanted */

/**
 * @typedef {object} Resumed
 * @property {number} number  of the topic in the address: the `ref` of the answers
 * @property {string} epoch
 * @property {number} after
 * @property {any[]} answers  that are not asked for yet
 * @property {string[]} held  what followed them
 * @property {Wanted | null} wanted  the client's join, until it is answered
 */

export class ResumedJoins {
  /** @type {Map<string, Resumed>} by address */
  #joins = new Map();
  #deliver;
  #restart;

  /**
   * @param {string} id  the last one of the stream before; "": there is nothing to resume
   * @param {object} options
   * @param {(data: string) => void} options.deliver  gives the client a frame
   * @param {() => void} options.restart  the client does not know what the id says: it begins again without it
   */
  constructor(id, { deliver, restart }) {
    this.#deliver = deliver;
    this.#restart = restart;
    for (const entry of id === "" ? [] : id.split(",")) {
      const [topic, epoch, after] = entry.split(":");
      const number = this.#joins.size;
      const known = { number, epoch: decodeURIComponent(epoch), after: Number(after) };
      this.#joins.set(decodeURIComponent(topic), { ...known, answers: [], held: [], wanted: null });
    }
    /** The refs of the client begin after those of the address. */
    this.count = this.#joins.size;
  }

  /** Of the address of the stream. */
  get query() {
    const topics = [...this.#joins.keys()].map((topic) => `topic=${encodeURIComponent(topic)}`);
    return topics.length > 0 ? `?${topics.join("&")}` : "";
  }

  /**
   * A join of the client.
   *
   * @param {Wanted} command
   * @returns {boolean} false: it is to be sent
   */
  claim(command) {
    const join = this.#joins.get(command.topic);
    if (join === undefined) return false;
    join.wanted = command;
    this.#settle(command.topic, join);
    return true;
  }

  /** @param {string} topic  that the client leaves */
  drop(topic) {
    this.#joins.delete(topic);
  }

  /**
   * Topics that the client has not asked for: it has no use for them any more.
   *
   * @returns {string[]}
   */
  unclaimed() {
    const found = [...this.#joins].filter(([, { wanted }]) => wanted === null);
    for (const [topic] of found) this.#joins.delete(topic);
    return found.map(([topic]) => topic);
  }

  /**
   * @param {string} data  a frame of the stream, other than the answer to a command of the client
   * @returns {boolean} whether it is of a topic that is being resumed
   */
  take(data) {
    if (this.#joins.size === 0) return false;
    const frame = JSON.parse(data);
    const isAnswer = frame.type === "ok" || frame.type === "error";
    const [topic, join] = [...this.#joins].find(([name, { number }]) =>
      isAnswer ? frame.ref === number : frame.topic === name,
    ) ?? ["", undefined];
    if (join === undefined) return false;
    if (isAnswer) join.answers.push(frame);
    else join.held.push(data);
    this.#settle(topic, join);
    return true;
  }

  /**
   * @param {string} topic
   * @param {Resumed} join
   */
  #settle(topic, join) {
    const { wanted, answers } = join;
    if (wanted === null || answers.length === 0) return;
    const answer = answers.shift();
    const isLevel = !answer.complete || (wanted.epoch === join.epoch && Number(wanted.after) >= join.after);
    if (!isLevel && answer.type === "ok") {
      this.#restart();
      return;
    }
    join.wanted = null;
    if (!answer.partial) this.#joins.delete(topic);
    join.after = answer.position;
    this.#deliver(JSON.stringify({ ...answer, ref: wanted.ref }));
    if (!answer.partial) for (const data of join.held) this.#deliver(data);
  }
}
