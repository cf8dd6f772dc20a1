"""What a reader must not lose: the place while scrolled back, a message, a post, a draft."""

import statistics
import time

from bench.load_client import Broken
from bench.page import amounts
from bench.page.chromium import Reader
from bench.page.place import Figures, Place


def places(place: Place) -> Figures:
    """A reader who scrolls back stays where he is."""
    slug = place.room("old")
    with place.reader(7) as reader:
        reader.open(slug)
        reader.ready()
        back = reader.probe("scrollBack", f"{slug} line 0:")
        if back["rows"] != amounts.OLD_MESSAGES:
            raise Broken(f"{back['rows']} of {amounts.OLD_MESSAGES} messages are there at the first one")
        reader.page.evaluate("document.querySelector('[data-role=log]').scrollTop += 1500")
        time.sleep(amounts.REST_SECONDS)
        reader.begin("moves", {"seq": reader.probe("firstInSight"), "ms": 3_000})
        place.posters.run(slug, 1_000, amounts.NEW_MESSAGES, 3)
        new = reader.ended("moves")
    return {"back-moves": back["most"], "new-moves": new}


def two(place: Place) -> Figures:
    """Two people: from Enter to the other one, and while the server is away."""
    slug = place.room("two")
    with place.reader(8) as writer, place.reader(9) as reader:
        for one in (writer, reader):
            one.open(slug)
            one.ready()
        waits = []
        for number in range(amounts.ENTERS):
            time.sleep(0.3)
            text = f"{slug} line {1_000 + number}:"
            reader.begin("arrives", text)
            writer.write(text)
            waits.append(reader.ended("arrives") - writer.probe("entered"))
        reader.begin("strip")
        killed_at = place.side.lose() * 1000
        strip = reader.ended("strip")
        wrong = _write_meanwhile(place, writer, reader, slug)
        draft = _lost_drafts(writer)
    found = {"enter": statistics.median(waits), "waiting": wrong, "draft": draft}
    return found | {"strip": strip["changed"] - killed_at, "strip-painted": strip["painted"] - killed_at}


def _write_meanwhile(place: Place, writer: Reader, reader: Reader, slug: str) -> float:
    """The posts of these, written while the server is away, that the other one does not get once and in order."""
    texts = [f"{slug} line {2_000 + number}:" for number in range(amounts.WAITING)]
    for text in texts:
        writer.write(text)
    place.side.come_back()
    for one in (reader, writer):
        one.ready()
        one.page.locator("article.message[data-seq]", has_text=texts[-1]).wait_for()
    shown = reader.page.locator("article.message", has_text=f"{slug} line 2").all_inner_texts()
    got = [number for text in shown for number, wish in enumerate(texts) if wish in text]
    return sum(wish != number for wish, number in zip(range(amounts.WAITING), got, strict=False)) + abs(
        amounts.WAITING - len(got)
    )


def _lost_drafts(writer: Reader) -> float:
    writer.page.locator("#body").fill("half a thought")
    writer.page.reload()
    writer.ready()
    return float(writer.page.locator("#body").input_value() != "half a thought")
