"""Chat's tunables. A leaf: imports nothing of chat."""

from typing import Annotated

from hubbub.conf import Section, Tunables, bounds, key


class Chat(Tunables, frozen=True, kw_only=True):
    """Chat's tunables."""

    body_chars: Annotated[
        int, bounds(1, 100_000, "Longest message, in code points after NFC; in UTF-8 at most a quarter of a frame.")
    ] = 4_000
    page_messages: Annotated[int, bounds(1, 100, "Messages in the page that a join returns.")] = 50
    resume_changes: Annotated[
        int,
        bounds(1, 10_000, "Changes sent to a resuming client; past that it gets the latest page."),
    ] = 300
    service_worker: Annotated[
        bool, key("True or False", "Whether browsers keep static files and an offline page; False removes them there.")
    ] = True


settings = Section("CHAT", Chat)
