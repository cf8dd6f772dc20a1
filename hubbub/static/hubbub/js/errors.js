// The two ways in which a command does not succeed.

/** The server has answered with an error. */
export class Refused extends Error {
  constructor({ code, detail, retry_after_ms }) {
    super(detail ?? code);
    this.name = "Refused";
    this.code = code;
    this.retryAfterMs = retry_after_ms ?? null;
  }
}

/** No answer came: the command may or may not have happened. */
export class Lost extends Error {
  constructor() {
    super("The connection was lost.");
    this.name = "Lost";
    this.code = "lost";
  }
}
