// The two ways in which a command fails.

/** The server answered the command with an error. */
export class Refused extends Error {
  /** @param {{ code: string, detail?: string, retry_after_ms?: number }} frame */
  constructor({ code, detail, retry_after_ms }) {
    super(detail ?? code);
    this.name = "Refused";
    /** One of the error codes of the protocol. */
    this.code = code;
    /** What was wrong, in English. */
    this.detail = this.message;
    /** Milliseconds to wait before the next try; null where the server named none. */
    this.retryAfterMs = retry_after_ms ?? null;
  }
}

/** No answer arrived: the command may or may not have happened. */
export class Lost extends Error {
  constructor() {
    super("The connection was lost.");
    this.name = "Lost";
    this.code = "disconnected";
    this.detail = this.message;
    /** @type {number | null} */
    this.retryAfterMs = null;
  }
}

/**
 * Runs a handler of a page. An error in it is reported as of any script, and stops nothing else.
 *
 * @template T
 * @param {() => T} run
 * @returns {T | undefined}
 */
export function guarded(run) {
  try {
    return run();
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else console.error(error);
    return undefined;
  }
}

/**
 * A caught error as pages show it. An error that is neither Refused nor Lost is a bug of the page: it keeps its message.
 *
 * @param {unknown} error
 * @returns {{ code: string, message: string, retryAfterMs: number | null }}
 */
export function failureOf(error) {
  if (error instanceof Refused || error instanceof Lost) return error;
  return { code: "failed", message: error instanceof Error ? error.message : String(error), retryAfterMs: null };
}
