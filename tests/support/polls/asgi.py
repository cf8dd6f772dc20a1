"""A site with polls and boards, and one page that shows a poll and a board by the browser client."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
http = get_asgi_application()

from django.urls import path, re_path  # noqa: E402

from hubbub.asgi.services import with_services  # noqa: E402
from tests.support.polls.consumers import PollsConsumer  # noqa: E402

PAGE = b"""<!doctype html>
<html lang="en">
<title>A poll</title>
<link rel="icon" href="data:,">
<p id="votes"></p>
<ol id="notes"></ol>
<p id="present"></p>
<script type="module">
  import { Hubbub } from "/static/hubbub/js/hub.js";
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  const add = ({ text }) => {
    document.getElementById("notes").append(Object.assign(document.createElement("li"), { textContent: text }));
  };
  const hub = new Hubbub();
  window.poll = hub.topic(`poll/${location.hash.slice(1)}`, {
    state: ({ bars }) => show("votes", bars.map(({ text, n }) => `${text} ${n}`).join(", ")),
  });
  window.board = hub.topic("board/plan", {
    state(notes) {
      show("notes", "");
      notes.forEach(add);
    },
    event: add,
    present: (present) => show("present", present?.users?.map(({ name }) => name).join(", ") ?? ""),
  });
</script>
"""


async def page(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send the page; the poll's number is the fragment of its address."""
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


application = with_services(
    ProtocolTypeRouter(
        {
            "http": URLRouter([path("poll/", page), re_path("", http)]),
            "websocket": URLRouter([path("ws/", PollsConsumer.as_asgi())]),
        }
    ),
    services=[],
)
