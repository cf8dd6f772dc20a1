// Why a command failed, as the page explains it.

/**
 * @param {{ code: string, message: string }} failure
 * @returns {string} a sentence
 */
export function failureText({ code, message }) {
  switch (code) {
    case "disconnected":
      return "The connection was lost; try again.";
    case "rate_limited":
      return "You are sending too fast; try again in a moment.";
    case "unavailable":
      return "The server is busy; try again in a moment.";
    case "not_found":
      return "You no longer have access to this.";
    case "internal":
      return "Server error; try again.";
    default:
      return `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, "")}.`;
  }
}
