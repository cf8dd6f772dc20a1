"""Where a round of the case `page` happens: a server that can be lost, a browser, other people, rooms."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.page import amounts
from bench.page.chromium import Reader
from bench.page.posters import Posters
from bench.servers import Hubbub

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Figures = Mapping[str, float]


class PageServer(Hubbub):
    """A server that can be lost, and come back on its port."""

    name = "page"

    def lose(self) -> float:
        """End it at once. Return the time of the wall clock before that, in seconds."""
        assert self.program is not None
        at = time.time()
        self.program.process.kill()
        self.program.process.wait()
        return at

    def come_back(self) -> None:
        self.stop()
        self.start()


@dataclass(frozen=True)
class Place:
    """A running server, a browser, and the others. Each `round_number` has readers and rooms of its own."""

    browser: "Browser"
    side: PageServer
    posters: Posters
    round_number: int

    def reader(self, index: int = 0, port: int | None = None) -> Reader:
        """A page of a user who is no poster. Each round has other users."""
        cookie = self.side.ground.cookies[10 + 10 * self.round_number + index]
        return Reader(self.browser, cookie, port or self.side.port)

    def room(self, name: str) -> str:
        return f"page-{name}-{self.round_number}"


def rooms() -> dict[str, int]:
    """The messages of each room that all rounds need, by slug."""
    made = {f"page-{number}": 60 for number in range(2 * amounts.ROOMS_NEW + 1)}
    for number in range(amounts.MAX_ROUNDS):
        sizes = {"long": amounts.ROWS + 100, "busy": 60, "hour": 60, "two": 60, "old": amounts.OLD_MESSAGES}
        made |= {f"page-{name}-{number}": size for name, size in sizes.items()}
    return made


def wait_for_last(reader: Reader, text: str) -> None:
    """Wait for a message with this text, and until the page rests."""
    reader.page.locator("article.message", has_text=text).wait_for()
    time.sleep(amounts.REST_SECONDS)
