// A topic of Hubbub as state of React components. Copy this file into your application.

import { type Hubbub, Lost, type Present, type SendOptions, type Topic } from "hubbub-client";
import { useSyncExternalStore } from "react";

export interface Snapshot<State> {
  /** Undefined before the first state. */
  state: State | undefined;
  /** The users who are present; null where the topic does not tell, or while it is not known. */
  present: Present | null;
  /** Why the topic is not open to this user (any more). */
  closed: { code: string; detail: string } | null;
}

/** The state after an event, for topics with events. A function outside of components: each topic has one. */
export type Apply<State, Event> = (state: State, event: Event) => State;

const EMPTY = { state: undefined, present: null, closed: null };

/** What all components with one topic share, so that they never show different states. */
class TopicStore<State, Event> {
  #snapshot: Snapshot<State> = EMPTY;
  #listeners = new Set<() => void>();
  #topic: Topic | null = null;

  #hub;
  #address;
  #apply;

  constructor(hub: Hubbub, address: string, apply: Apply<State, Event>) {
    this.#hub = hub;
    this.#address = address;
    this.#apply = apply;
  }

  /** The same object until something changed. */
  readonly snapshot = () => this.#snapshot;

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    this.#topic ??= this.#open();
    return () => {
      this.#listeners.delete(listener);
      // Later: StrictMode, or the next page, may subscribe again in this turn, and then the topic is not left.
      queueMicrotask(() => this.#closeUnused());
    };
  };

  // biome-ignore lint/suspicious/noExplicitAny: the result is the command's own
  readonly send = (type: string, fields: object = {}, options: SendOptions = {}): Promise<any> =>
    this.#topic?.send(type, fields, options) ?? Promise.reject(new Lost());

  /** Tries again after `closed`. */
  readonly join = () => {
    this.#change({ closed: null });
    this.#topic?.join();
  };

  #open() {
    const stores = storesOf(this.#hub);
    if (!stores.has(this.#address)) stores.set(this.#address, this);
    return this.#hub.topic<State, Event>(this.#address, {
      state: (state) => this.#change({ state }),
      events: (events) => {
        let { state } = this.#snapshot;
        if (state === undefined) return;
        for (const event of events) state = this.#apply(state, event);
        this.#change({ state });
      },
      present: (present) => this.#change({ present }),
      joined: () => this.#snapshot.closed !== null && this.#change({ closed: null }),
      closed: (code, detail) => this.#change({ closed: { code, detail } }),
    });
  }

  #closeUnused() {
    if (this.#listeners.size > 0) return;
    this.#topic?.close();
    this.#topic = null;
    const stores = storesOf(this.#hub);
    if (stores.get(this.#address) === this) stores.delete(this.#address);
  }

  #change(fields: Partial<Snapshot<State>>) {
    this.#snapshot = { ...this.#snapshot, ...fields };
    for (const listener of this.#listeners) listener();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each topic has a state of its own
type Stores = Map<string, TopicStore<any, any>>;

const storesByHub = new WeakMap<Hubbub, Stores>();

function storesOf(hub: Hubbub): Stores {
  let stores = storesByHub.get(hub);
  if (stores === undefined) {
    stores = new Map();
    storesByHub.set(hub, stores);
  }
  return stores;
}

function storeOf<State, Event>(hub: Hubbub, address: string, apply: Apply<State, Event>): TopicStore<State, Event> {
  const stores = storesOf(hub);
  let store = stores.get(address);
  if (store === undefined) {
    store = new TopicStore(hub, address, apply);
    stores.set(address, store);
  }
  return store;
}

const unchanged = <State>(state: State) => state;
const onServer = () => EMPTY;

/** The topic with this address, which is joined while a component shows it. */
export function useTopic<State, Event = never>(hub: Hubbub, address: string, apply: Apply<State, Event> = unchanged) {
  const { subscribe, snapshot, send, join } = storeOf(hub, address, apply);
  return { ...useSyncExternalStore<Snapshot<State>>(subscribe, snapshot, onServer), send, join };
}
