"""What robots say, how fast, and when: by a seed, the same each time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from project.demo import chatter
from project.demo.people import BOT, ROBOTS
from project.demo.rooms import BUSY

SEED = "DEMO_SEED"  # The environment variable that tells it to the robots.
LETTERS_PER_SECOND = 14.0
TYPING_SECONDS = (1.5, 9.0)  # At least and at most for one message.
READING_SECONDS = (0.8, 4.0)
EDITED = 0.06  # The share of messages with a word too many, which is taken out afterwards.
SLIPS = ("Hm, ", "So: ", "Well, ", "Sorry, wrong room. No, right room. ")


@dataclass(frozen=True, slots=True)
class Act:
    """One message of a robot.

    Attributes:
        reads: Seconds before it begins to type.
        types: Seconds that it types.
        corrected: the text after an edit; empty: there is none.
    """

    by: str
    text: str
    reads: float
    types: float
    corrected: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A room that robots talk in, with the pauses between conversations in seconds, from and to."""

    slug: str
    pauses: tuple[float, float]
    patterns: tuple[chatter.Pattern, ...] = chatter.PATTERNS

    def acts(self, seed: str) -> Iterator[Act]:
        """What is said, without end."""
        chance = random.Random(f"{seed} {self.slug}")  # noqa: S311 - wanted: the same every time
        while True:
            pause = chance.uniform(*self.pauses)
            for line in chatter.conversation(chance, ROBOTS, BOT, self.patterns):
                yield _act(chance, line, pause)
                pause = 0.0


SCENES = (
    Scene(BUSY, (3, 12)),
    Scene("general", (15, 60), chatter.SMALL_TALK),
    Scene("frontend", (25, 90)),
    Scene("kitchen", (30, 120), chatter.SMALL_TALK),
    Scene("databases", (45, 180)),
)


def answer_to(chance: random.Random, name: str) -> Act:
    """What a robot answers to a person."""
    by = chance.choice([robot for robot in ROBOTS if robot != BOT])
    return _act(chance, chatter.Line(by, chatter.answer(chance, name)), 0.0)


def _act(chance: random.Random, line: chatter.Line, pause: float) -> Act:
    low, high = TYPING_SECONDS
    types = min(high, max(low, len(line.text) / LETTERS_PER_SECOND)) * chance.uniform(0.8, 1.2)
    is_edited = line.by != BOT and chance.random() < EDITED
    return Act(
        by=line.by,
        text=chance.choice(SLIPS) + line.text if is_edited else line.text,
        reads=pause + chance.uniform(*READING_SECONDS),
        types=types,
        corrected=line.text if is_edited else "",
    )
