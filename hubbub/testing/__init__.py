"""Tests of topics in milliseconds: without server, Redis, browser and cookies.

    async with connect(PollTopic, poll.pk, user=alice) as page:
        assert page.state["question"] == "Tea?"
        await page.vote(option=1)
        assert (await page.changed())["bars"][0]["n"] == 1

    with published("poll/7") as frames:
        poll.save()
    assert [frame["type"] for frame in frames] == ["changed"]

They run in Django's TestCase and TransactionTestCase, in pytest-django and in pytest-asyncio, on SQLite and PostgreSQL.
In a TestCase all queries run on the connection of the test. Hooks of commits run when a command or a block of
`published` ends, and when a page waits for a change or an event.
With pytest-asyncio, use `transactional_db`: a coroutine's queries run in another thread, which sees only commits.
Within the blocks nothing is sent to Redis. `served` is for tests that drive a consumer themselves.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from hubbub.protocol import from_json
from hubbub.publish.messages import LastFrame, Message, OneFrame, Reached, SeveralFrames, Told
from hubbub.testing.capture import commits, received
from hubbub.testing.page import Frame, Page
from hubbub.testing.services import served
from hubbub.topics.addresses import address_of_group
from hubbub.topics.topic import Topic

__all__ = ["Page", "connect", "published", "served"]


@asynccontextmanager
async def connect(topic: type[Topic], key: Any = None, *, user: Any) -> AsyncIterator[Page]:
    """Join a topic as a user, until the end of the block. Several may be joined at once.

    Args:
        topic: the class.
        key: of the topic; None for a topic without keys.
        user: of the site's user model, saved; or Django's AnonymousUser: a visitor of a public topic.

    Raises:
        Refused: the user may not see it, or the topic refuses its state.
        RuntimeError: the user has no row, or one in a transaction of the test that cannot be seen; the text says which.
    """
    page = Page(topic(key), user)
    with received(page.receive):
        await page.join()
        yield page


@contextmanager
def published(*addresses: str) -> Iterator[list[Frame]]:
    """Collect the frames that are published in the block.

    Args:
        addresses: of topics, such as `poll/7`; none: of all.

    Returns:
        The frames, decoded, complete at the end of the block. A change of a state is
        `{"type": "changed", "topic": …, "position": …}`.
    """
    frames: list[Frame] = []

    def receive(message: Message) -> None:
        address = address_of_group(message.group)
        if addresses and address not in addresses:
            return
        match message:
            case Reached(position=position):
                frames.append({"type": "changed", "topic": address, "position": position})
            case OneFrame(text=text) | Told(text=text) | LastFrame(text=text):
                frames.append(from_json(text))
            case SeveralFrames(frames=several):
                frames.extend(from_json(text) for _, text in several)

    with received(receive), commits():
        yield frames
