// The development server passes sockets, and HTTP in their place, on to Django with the Host of the page: so the session counts.

/** @type {import("vite").UserConfig} */
export default {
  server: {
    proxy: {
      "/ws": { target: "http://localhost:8000", ws: true },
      "/live": { target: "http://localhost:8000" },
    },
  },
};
