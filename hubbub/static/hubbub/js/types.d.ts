// The shapes that the engine's scripts share: wire frames as `hubbub/protocol.py` declares them, and the browser's
// services. A field with `at`, `since` or `time` in its name is a time as ISO 8601 in UTC.

/** A user as other users see them; `id` is null when the account is deleted. */
export interface Person {
  id: string | null;
  name: string;
  /** the hash of the picture; absent: none */
  picture?: string;
  /** the status line; absent: none, or in a frame that does not tell it */
  status?: string;
}

/** `users` is empty when too many are present to be named. */
export interface Presence {
  count: number;
  users: Person[];
}

/** Any frame; of a command without its `ref`, which the socket adds. */
export interface Frame {
  type: string;
}

/** The server accepted the command with this `ref`. */
export interface Ok {
  type: "ok";
  ref: number;
}

export interface Pong {
  type: "pong";
  ref: number;
}

/** The server refused a command, or, without `ref`, the socket. */
export interface ErrorFrame {
  type: "error";
  ref?: number;
  code: string;
  detail: string;
  retry_after_ms?: number;
}

export interface Limits {
  /** Of one frame from the client, in UTF-8. */
  frame_bytes: number;
}

/** `degraded`: Redis is away, and live updates are slow. */
export type ServiceState = "ok" | "degraded";

/** The first frame of an admitted socket. */
export interface Hello {
  type: "hello";
  protocol: number;
  features: string[];
  connection: string;
  user: Person;
  state: ServiceState;
  heartbeat_ms: number;
  limits: Limits;
  server_time: string;
}

/** The session is missing: without a token within `within_ms` the server closes the socket. */
export interface AuthRequired {
  type: "auth.required";
  within_ms: number;
}

export interface ServiceChanged {
  type: "service.changed";
  state: ServiceState;
}

export interface PersonChanged {
  type: "person.changed";
  user: Person;
}

/** Events of the engine itself, which every feature receives. */
export type EngineEvent = ServiceChanged | PersonChanged;

export type ConnectionState = "connecting" | "open" | "offline";

/** Why a connection ended. */
export interface CloseReason {
  /** The close code of the WebSocket; 1006 where the client gave the connection up. */
  code: number;
  reason: string;
  /** True: the socket does not reconnect by itself. */
  final: boolean;
  /** The error that the server sent before it closed. */
  error?: ErrorFrame;
}

/** How a page is connected: by a WebSocket, or over HTTP where none gets through. */
export type Via = "socket" | "http";

/** Of "open": `via`. Of "offline": why, and the time until the next try, if there is one. Of "connecting": nothing. */
export type StateDetails = Partial<CloseReason & { via: Via; retryMs: number }>;

export interface SocketHandlers {
  /** An access token for a page without a session; without it the browser leaves for the sign-in. */
  token?: string | undefined;
  /** The socket is admitted, first or again. False closes the socket: the page belongs to another user. */
  hello?(frame: Hello): unknown;
  /** An event arrived; unknown types must be ignored. */
  event?(frame: EngineEvent | TopicEvent): void;
  /** The state changed. */
  state?(state: ConnectionState, why: StateDetails): void;
}

/** The result of `setTimeout`. */
export type Timer = number | object;

/** Delays and randomness of the browser, which tests replace. */
export interface Timers {
  setTimeout(run: () => void, ms: number): Timer;
  clearTimeout(timer: Timer | null): void;
  /** From 0 up to 1. */
  random(): number;
}

/** The part of WebSocket that the connection uses. */
export interface WebSocketLike {
  bufferedAmount: number;
  onmessage: ((event: MessageEvent<string>) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  send(text: string): void;
  close(): void;
}

/** A tab of a browser, to a stream that it shares with others. */
export interface Tab {
  /** Gives it a frame. */
  deliver(text: string): void;
  /** Ends its connection, as of a socket. `isAlone`: it comes back with a stream of its own. */
  end(code: number, reason: string, isAlone: boolean): void;
}

/** What a connection over HTTP needs of the browser. */
export interface StreamEnv extends Timers {
  fetch(address: string, options: RequestInit): Promise<Response>;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

/** All that the connection needs of the browser, which tests replace. */
export interface BrowserLike extends Timers {
  /** Shows the state of the connection in its `data-` attributes. */
  root: { dataset: DOMStringMap };
  open(path: string): WebSocketLike;
  /** The same over HTTP. `path`: of its addresses, with a slash at its end. */
  openStream(path: string): WebSocketLike;
  /** Leaves this page for the sign-in page. */
  signIn(): void;
  /** `wake` runs when the network returns and when the page becomes visible. */
  onWake(wake: () => void): void;
  onOffline(offline: () => void): void;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

// Topics, by protocol 2

/** Users who came and went; without both lists too many users are present to be named. */
export interface PresenceChange {
  count: number;
  joined?: Person[] | null;
  left?: Person[] | null;
}

/** Who is present; `users` is null when they are too many to be named. */
export interface Present {
  count: number;
  users: Person[] | null;
}

/** An event of a topic. Without a `position` it is not stored, and may be missed. */
export interface TopicEvent extends Frame {
  topic: string;
  position?: number;
  // biome-ignore lint/suspicious/noExplicitAny: its other fields are the topic's own
  [field: string]: any;
}

/** The new state of a topic. */
export interface TopicChanged {
  type: "changed";
  topic: string;
  epoch: string;
  position: number;
  // biome-ignore lint/suspicious/noExplicitAny: the topic's own
  state: any;
}

/** The topic ended for this socket; `code` is an error code. */
export interface TopicClosed {
  type: "closed";
  topic: string;
  code: string;
}

export interface TopicPresenceChanged extends PresenceChange {
  type: "presence.changed";
  topic: string;
}

/** The answer to a join. */
export interface TopicJoined extends Ok {
  topic: string;
  epoch: string;
  position: number;
  /** `events` are all changes since the known position; else `state` replaces the known state. */
  complete: boolean;
  events?: TopicEvent[];
  // biome-ignore lint/suspicious/noExplicitAny: the topic's own
  state?: any;
  /** More changes follow: join again from `position`. The socket gets no event of the topic yet. */
  partial?: boolean;
  /** Missing when not known yet, and in a partial answer. */
  present?: Presence | null;
  // biome-ignore lint/suspicious/noExplicitAny: what only this user is told
  viewer?: any;
}

/** An answer to a join that the page was made with: `first_answer` in Django. */
export type FirstAnswer = Omit<TopicJoined, keyof Ok>;

export interface TopicOptions {
  /** Closes the topic. */
  signal?: AbortSignal | undefined;
  /**
   * The handlers get its state at once, and the join brings what has changed since. It counts only for a topic of which
   * nothing is known yet, and only if it is of this topic.
   */
  first?: FirstAnswer | null | undefined;
}

/** What a page does with a topic; each handler is optional. An error in a handler stops nothing. */
// biome-ignore lint/suspicious/noExplicitAny: the topic's own
export interface TopicHandlers<State = any, Event = any> {
  /**
   * The state, which replaces the last one; `joined` is the answer to the join that brought it, if one did, or the `first`
   * that the page was made with. `isAnew`: it is the first one, or one of another epoch: positions of before have no meaning
   * any more.
   */
  state?(state: State, joined: TopicJoined | undefined, isAnew: boolean): void;
  /** An event, in order and once if it has a position. Unknown types must be ignored. */
  event?(event: Event): void;
  /** As `event`, which is then not called: one or more events, all those of one answer together. */
  events?(events: Event[]): void;
  /** The users present changed; null: they are not known for a moment. `named`: those whose names are new or confirmed. */
  present?(present: Present | null, named: Person[]): void;
  /** The topic is joined, first or again, after its state or its events were delivered. */
  joined?(answer: TopicJoined): void;
  /** The topic is not open to this user (any more), with an error code. It is joined again only by `join()`. */
  closed?(code: string, detail: string): void;
}

export interface SendOptions {
  /** Send it again until it is answered. The command is declared with `once=True`. */
  keep?: boolean;
  /** Gives up waiting: before it was sent the command does not happen, after that it may have. */
  signal?: AbortSignal;
}

/** An error in a handler stops nothing. */
export interface HubOptions {
  /** Of the WebSocket: a path on this host, or an address. */
  path?: string;
  /**
   * Of the addresses for HTTP: used where WebSockets do not get through. Null: never. By default `/live/` where `path` is a
   * path on this host, and null where it is an address.
   */
  http?: string | null;
  /**
   * The address of `stream-worker.js`, by which tabs that are connected over HTTP share one stream. By default it is beside
   * `hub.js`, if that is not part of a bundle. Null: each tab has a stream of its own.
   */
  worker?: string | URL | null;
  /** An access token, `hub_…`. It is used only where the browser has no session. */
  token?: string;
  /** Closes the hub. */
  signal?: AbortSignal;
  /** The socket is admitted, first or again. False closes it, for example when the page belongs to another user. */
  hello?(frame: Hello): unknown;
  /** An event that belongs to no topic, such as `service.changed` and `person.changed`. */
  event?(event: EngineEvent): void;
  /** The state of the connection changed; after a final end the hub connects again by `open()`. */
  state?(state: ConnectionState, why: StateDetails): void;
  /** No user is signed in, and there is no token. By default nothing happens; the hub is offline. */
  signIn?(): void;
}
