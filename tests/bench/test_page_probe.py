"""The measurements within a page, on a page that does wrong on purpose."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.page import chromium
from bench.page.chromium import Reader

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

# The markup that the measurements rely on. With anchoring off, what is added above moves all below it.
PAGE = b"""<!doctype html><html data-state=open><title>Wrong</title>
<style>[data-role=log] { block-size: 300px; overflow: auto; overflow-anchor: none } article { block-size: 40px }</style>
<nav id=rooms><p data-slug=other><a href="#">Other</a></nav>
<div id=room data-ready=true><p data-role=strip></p><div data-role=log><div data-role=rows></div></div></div>
<script>
const rows = document.querySelector("[data-role=rows]");
const log = document.querySelector("[data-role=log]");
const message = (slug, seq) => Object.assign(document.createElement("article"),
  { className: "message", textContent: `${slug} line ${seq}:` });
function show(slug, from, to) {
  const made = [];
  for (let seq = from; seq <= to; seq += 1) {
    made.push(message(slug, seq));
    made.at(-1).dataset.seq = seq;
  }
  return made;
}
rows.append(...show("wrong", 20, 60));
log.scrollTop = log.scrollHeight;
log.addEventListener("scroll", () => {
  if (log.scrollTop > 100 || rows.firstChild.dataset.seq === "0") return;
  const first = Number(rows.firstChild.dataset.seq);
  const older = show("wrong", Math.max(0, first - 10), first - 1);
  rows.prepend(...older);
  log.scrollTop += 40 * older.length - 13;
});
document.querySelector("a").onclick = () => setTimeout(() => rows.replaceChildren(...show("other", 0, 30)), 150);
function late() { setTimeout(() => rows.append(...show("wrong", 61, 61)), 100); }
function lose() { setTimeout(() => { document.querySelector("[data-role=strip]").textContent = "Lost"; }, 100); }
function shift() { setTimeout(() => rows.prepend(document.createElement("hr")), 100); }
function block(ms) { for (const until = performance.now() + ms; performance.now() < until; ); }
</script>"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def reader(port: int) -> Iterator[Reader]:
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(Reader(stack.enter_context(chromium.running()), "none", port))
        assert made.open("wrong") > 0
        yield made


def test_delays_are_measured_from_the_click_and_until_the_frame(reader: Reader) -> None:
    assert 150 <= reader.switch("other") < 1_000
    before = reader.probe("loaded")["now"]
    for action, call in (("strip", "lose()"), ("arrives", "rows.replaceChildren(); late()")):
        reader.begin(action, "wrong line 61")
        reader.page.evaluate(call)
        found = reader.ended(action)
        assert (found["painted"] if action == "strip" else found) >= before + 100


def test_what_moves_is_seen_with_its_pixels(reader: Reader) -> None:
    assert reader.probe("scrollBack", "wrong line 0:")["most"] == pytest.approx(13, abs=0.5)
    reader.begin("moves", {"seq": reader.probe("firstInSight"), "ms": 400})
    reader.page.evaluate("shift()")
    assert reader.ended("moves") > 2
    assert reader.probe("shifts")["unasked"] > 0
    reader.begin("moves", {"seq": "30", "ms": 400})
    reader.page.evaluate("document.querySelector('[data-seq=\"30\"]').remove()")
    assert reader.ended("moves") != reader.ended("moves")  # NaN: the message went.


def test_a_page_that_does_not_answer_drops_frames(reader: Reader) -> None:
    reader.probe("startFrames")
    reader.page.evaluate("new Promise((done) => setTimeout(() => done(block(200)), 100))")
    reader.page.wait_for_timeout(100)
    found = reader.probe("stopFrames")
    assert found["longest"] >= 200
    assert found["dropped"] >= 10


def test_the_main_threads_seconds_and_the_heap_are_counted(reader: Reader) -> None:
    before, heap = reader.metrics(), reader.heap_bytes()
    reader.page.evaluate("setTimeout(() => block(300)); window.kept = new Array(1e6).fill(0.5)")
    reader.page.wait_for_timeout(600)
    assert reader.metrics()["ScriptDuration"] - before["ScriptDuration"] >= 0.25
    assert reader.heap_bytes() - heap >= 3_000_000
