// Why a command failed, as the page explains it.

/**
 * @param {{ code: string, message: string }} failure
 * @returns {string} a sentence
 */
export function failureText({ code, message }) {
  switch (code) {
    case "lost":
      return "The connection was lost; try again.";
    case "rate_limited":
      return "This is too fast; try again in a moment.";
    case "unavailable":
      return "The server is busy; try again in a moment.";
    case "not_found":
      return "This is no longer open to you.";
    case "internal":
      return "The server failed; try again.";
    default:
      return `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, "")}.`;
  }
}
