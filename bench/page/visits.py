"""Visits of the room's page: switches of rooms, loads, and their bytes."""

import statistics
import time
from typing import Any

from bench.page import amounts
from bench.page.chromium import Reader
from bench.page.place import Figures, Place, wait_for_last
from bench.page.slow_link import SlowLink


def switches(place: Place) -> Figures:
    """Each room once for the first time, then all again; at once, and over a slow link."""
    with place.reader(0) as reader:
        found = _switches(reader, "")
    with SlowLink(place.side.port, amounts.ROUND_TRIP) as link, place.reader(1, link.port) as reader:
        slow = _switches(reader, "-150")
    return found | slow | {"cls-switch": max(found["cls-switch"], slow["cls-switch"])}


def _switches(reader: Reader, suffix: str) -> dict[str, float]:
    reader.open("page-0")
    reader.ready()
    taken: list[float] = []
    shifts = 0.0
    for number in [*range(1, amounts.ROOMS_NEW + 1)] * 2:
        time.sleep(amounts.REST_SECONDS)
        taken.append(reader.switch(f"page-{number}"))
        reader.ready()
        shifts = max(shifts, reader.probe("shifts")["all"])  # Also those after a click, which CLS leaves out.
    new, again = taken[: amounts.ROOMS_NEW], taken[amounts.ROOMS_NEW :]
    medians = {f"switch-new{suffix}": statistics.median(new), f"switch-again{suffix}": statistics.median(again)}
    return medians | {"cls-switch": shifts}


def loads(place: Place) -> Figures:
    """First visits with an empty cache, and visits after them."""
    cold, warm, shifts = [], [], []
    with SlowLink(place.side.port, amounts.ROUND_TRIP) as link:
        for _ in range(amounts.LOADS):
            with place.reader(2, link.port) as reader:
                cold.append(reader.open("page-0"))
                time.sleep(amounts.REST_SECONDS)
                shifts.append(reader.probe("shifts")["unasked"])
                for _ in range(2):  # The browser keeps compiled scripts from the second on.
                    again = reader.open("page-0")
                    time.sleep(amounts.REST_SECONDS)
                warm.append(again)
    with (
        SlowLink(place.side.port, amounts.ROUND_TRIP, has_handshake=True) as link,
        place.reader(2, link.port) as reader,
    ):
        tcp = reader.open("page-0")
    return {
        "load-cold": statistics.median(cold),
        "load-warm": statistics.median(warm),
        "load-cold-tcp": tcp,
        "cls-load": max(shifts),
    }


def sizes(place: Place) -> Figures:
    """Bytes of a first visit as they are on the wire, and of each message after it."""
    kinds: dict[str, str] = {}
    received: dict[str, float] = {"Document": 0, "Stylesheet": 0, "Script": 0}

    def on_response(response: Any) -> None:
        kinds[response["requestId"]] = response["type"]

    def on_end(end: Any) -> None:
        kind = kinds.get(end["requestId"], "Other")
        received[kind] = received.get(kind, 0) + end["encodedDataLength"]

    with SlowLink(place.side.port) as link, place.reader(6, link.port) as reader:
        reader.devtools.on("Network.responseReceived", on_response)
        reader.devtools.on("Network.loadingFinished", on_end)
        reader.devtools.send("Network.enable")
        reader.open("page-0")
        reader.ready()
        reader.page.wait_for_timeout(1_000)
        socket = link.socket_up + link.socket_down
        before = link.socket_down
        place.posters.run("page-0", 1_000, amounts.LONE_MESSAGES, 10)
        wait_for_last(reader, f"page-0 line {999 + amounts.LONE_MESSAGES}")
        message = (link.socket_down - before) / amounts.LONE_MESSAGES
    named = ("Document", "Stylesheet", "Script")
    html, css, js = (received[kind] / 1024 for kind in named)
    other = sum(size for kind, size in received.items() if kind not in named) / 1024
    found = {"bytes-html": html, "bytes-css": css, "bytes-js": js, "bytes-other": other}
    return found | {"bytes-socket": socket / 1024, "bytes-message": message}
