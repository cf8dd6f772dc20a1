// The shapes that the engine's scripts share: wire frames as `hubbub/protocol.py` declares them, and the browser's
// services. A field with `at`, `since` or `time` in its name is a time as ISO 8601 in UTC.

/** A user as other users see them; `id` is null when the account is deleted. */
export interface Person {
  id: string | null;
  name: string;
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
  /** Of one message; null where the feature has no messages. */
  body_chars: number | null;
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

export interface UserRenamed {
  type: "user.renamed";
  user: Person;
}

/** Events of the engine itself, which every feature receives. */
export type EngineEvent = ServiceChanged | UserRenamed;

/** A feature's commands and answers, by the type of the command. */
export type Exchanges = Record<string, { command: object; answer: object }>;

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

export interface SocketHandlers<Event extends Frame> {
  /** The socket is admitted, first or again: join here. False closes the socket: the page belongs to another user. */
  hello?(frame: Hello): unknown;
  /** An event arrived; unknown types must be ignored. */
  event?(frame: Event): void;
  /** The state changed; `why` is empty except for `offline`. */
  state?(state: ConnectionState, why: Partial<CloseReason>): void;
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

/** All that the connection needs of the browser, which tests replace. */
export interface BrowserLike extends Timers {
  /** Shows the state of the connection in its `data-` attributes. */
  root: { dataset: DOMStringMap };
  open(path: string): WebSocketLike;
  /** Leaves this page for the sign-in page. */
  signIn(): void;
  /** `wake` runs when the network returns and when the page becomes visible. */
  onWake(wake: () => void): void;
  onOffline(offline: () => void): void;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}
