// A room's page in a fake browser: a hub, the room's topic and the state, without a view.

import { settle } from "./browser.js";
import { HubPage } from "./hubs.js";
import { ALICE, fresh, ROOM, run } from "./rooms.js";
import { Family, SLUG } from "./tabs.js";

/** @import { PendingPost, Message, MessageEvent, Viewer } from "../../chat/static/chat/js/types.js" */
/** @import { Presence, PresenceChange } from "../../hubbub/static/hubbub/js/types.js" */

// After `served.js`, which `rooms.js` imports: it imports scripts of the engine.
const { Outbox } = await import("../../chat/static/chat/js/outbox.js");
const { StoredPosts } = await import("../../chat/static/chat/js/outbox-posts.js");
const { RoomTopic } = await import("../../chat/static/chat/js/room-topic.js");

const TOPIC = "room/general";

export class RoomPage extends HubPage {
  state;
  room;
  outbox;
  #posts;
  #order = 0;
  changes = 0;
  /** @type {string[]} */
  closings = [];
  /** @type {Viewer[]} of each join */
  viewers = [];

  /** @param {PendingPost[]} pending */
  constructor(pending = []) {
    /** @type {InstanceType<typeof Outbox> | undefined} */
    let outbox;
    super({
      hello: ({ user }) => outbox?.open(user.id),
      state(connection) {
        if (connection !== "open") outbox?.close();
      },
    });
    const { store } = new Family().open();
    this.#posts = new StoredPosts(store, ALICE.id);
    for (const post of pending) this.#store(post);
    this.outbox = outbox = new Outbox(ALICE.id, {
      store,
      send: (slug, post) => this.hub.send(`room/${slug}`, "message.post", post),
      services: { timers: this.browser, locks: undefined, tab: "tab" },
    });
    this.outbox.show(SLUG, {
      changed: (posts) => {
        this.state = run(this.state, { type: "posts", posts });
      },
      answered: (id, { seq, at, position }) => {
        this.state = run(this.state, { type: "post.answered", id, seq, at, isKnown: this.room.isKnown(position) });
      },
    });
    this.state = fresh(this.outbox.posts(SLUG));
    this.room = new RoomTopic(this.hub, "general", {
      change: (action) => {
        this.state = run(this.state, action);
        this.changes += 1;
      },
      joined: (viewer) => this.viewers.push(viewer),
      closed: (code) => this.closings.push(code),
    });
  }

  /**
   * The user writes a post.
   *
   * @param {Pick<PendingPost, "id" | "body" | "at">} post
   */
  async write(post) {
    this.#store({ ...post, error: null });
    this.outbox.retry(SLUG, post.id);
    await settle();
  }

  /** @param {PendingPost} post */
  #store({ id, body, at }) {
    this.#posts.write(SLUG, id, { body, at, order: ++this.#order, tab: "tab" });
  }

  /**
   * The page joins, and gets the latest page of the room.
   *
   * @param {number} position
   * @param {Message[]} messages
   * @param {{ more?: boolean, present?: Presence | null, role?: string, epoch?: string }} answer
   */
  async enter(position, messages, { more = false, role = "member", ...answer } = {}) {
    if (this.hub.connection !== "open") await this.greet();
    const { role: _, manages: __, ...room } = ROOM;
    await this.join(
      position,
      { room, messages, more },
      { viewer: { role, manages: false, body_chars: 2_000 }, ...answer },
    );
  }

  /**
   * The page comes back, and gets what it missed.
   *
   * @param {number} position
   * @param {object[]} events
   * @param {{ partial?: boolean, present?: Presence | null, role?: string }} answer
   */
  async catchUp(position, events, { partial = false, role = "member", ...answer } = {}) {
    const last = partial ? { partial } : { viewer: { role, manages: false, body_chars: 2_000 } };
    await this.resume(position, events, { ...last, ...answer });
  }

  /**
   * @param {MessageEvent["type"]} type
   * @param {number} position
   * @param {Message} message
   */
  async event(type, position, message) {
    await this.say(happened(type, position, message));
  }

  /** @param {PresenceChange} change */
  async presence(change) {
    await this.say({ type: "presence.changed", topic: TOPIC, joined: null, left: null, ...change });
  }
}

/**
 * @param {MessageEvent["type"]} type
 * @param {number} position
 * @param {Message} message
 */
export const happened = (type, position, message) => ({ type, topic: TOPIC, position, message });
