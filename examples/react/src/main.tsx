import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { hub, useConnection } from "./hub.js";
import { PollPage } from "./poll-page.js";

function App() {
  const connection = useConnection();
  const pk = Number(new URLSearchParams(location.search).get("poll") ?? 1);
  return (
    <>
      {connection === "offline" && <p role="status">Not connected.</p>}
      <PollPage hub={hub} pk={pk} />
    </>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
