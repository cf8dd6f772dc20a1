// The hub of this application: one connection for all topics, and its state for components.

import { type ConnectionState, Hubbub } from "hubbub-client";
import { useSyncExternalStore } from "react";

let connection: ConnectionState = "connecting";
const listeners = new Set<() => void>();

export const hub = new Hubbub({
  path: "/ws/live/",
  state(state) {
    connection = state;
    for (const listener of listeners) listener();
  },
});

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useConnection = () => useSyncExternalStore(subscribe, () => connection);
