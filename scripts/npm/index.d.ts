// What the package exports: the classes of `hub.js`, and the types of their options and handlers.

export { Hubbub, Lost, Refused, Topic } from "./hub.js";
export type {
  ConnectionState,
  EngineEvent,
  FirstAnswer,
  Hello,
  HubOptions,
  Person,
  Present,
  SendOptions,
  StateDetails,
  TopicEvent,
  TopicHandlers,
  TopicJoined,
  TopicOptions,
} from "./types.js";
