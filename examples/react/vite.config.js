// The development server passes sockets and the addresses for HTTP on to Django, so that the session counts.

/** @type {import("vite").UserConfig} */
export default {
  server: { proxy: { "/ws": { target: "http://localhost:8000", ws: true }, "/live": "http://localhost:8000" } },
};
