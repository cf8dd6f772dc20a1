"""The busy room: some thousand messages over six weeks, and what was written there last."""

import random
from collections.abc import Iterator

from project.demo import chatter
from project.demo.people import BOT, NAMES
from project.demo.rooms import BUSY
from project.demo.talk import DAY, Said

WEEKS = 6
DAY_STARTS, DAY_ENDS = 7 * 60, 17 * 60  # Minutes of a day that people write in.
MINUTES_BETWEEN = 16.0  # Conversations, on a day of work.
WEEKEND_FACTOR = 9.0
EDITED, DELETED = 0.03, 0.012  # Shares of the messages.

LAST = [
    Said(1120, "tomasz", "The backup of borealis took 41 minutes yesterday, it was 12 the week before."),
    Said(1119, "tomasz", "Nothing else ran on the host at that time.", deleted_by="author"),
    Said(1112, "jonas", "It is the new index. I rebuilt it on Friday and it doubled in size."),
    Said(1108, "amara", "Can it wait until after the release? I would rather not touch it today."),
    Said(1107, "jonas", "It can. I put it on Wednesday."),
    Said(320, "haruka", "了解です。水曜に確認します。"),
    Said(76, "noura", "صباح الخير، هل يمكن لأحد مراجعة إعدادات الخادم قبل الساعة الحادية عشرة؟"),
    Said(71, "m.hohenstein", "On it. The diff is here: https://git.example.org/infra/compare/7f3c"),
    Said(64, "m.hohenstein", "Looks right to me. One question: do we still need this one?\n```ini\nnet.core.somaxconn = 4096\nnet.ipv4.conf.all.accept_source_route_from_the_old_balancer_in_the_cellar = 0\n```"),
    Said(58, "noura", "No, that was for the old balancer. Out it goes."),
    Said(31, "jonas", "Load on atlas is up since ten, but the queue is empty 😕"),
    Said(29, "tomasz", "That is the report for finance, it should be over in five minutes."),
    Said(14, "deploy-bot", "Canary of **chat 2.14.0**: error rate 0.02 %, limit 0.5 %"),
    Said(5, "mona", "Load is down again. We release at eleven, as planned. Thanks, Tomasz.", edited=True),
    Said(4, "priya", "Then, in this order:\n\n1. `manage.py release`\n2. one process of **atlas**\n3. the rest, if p99 stays below 20 ms"),
    Said(3, "amara", "Ready when you are."),
]  # fmt: skip


def history(seed: int) -> list[Said]:
    """What was written in the busy room, oldest first; without what was written elsewhere."""
    return [*_earlier(random.Random(f"{seed} {BUSY}")), *LAST]  # noqa: S311 - wanted: the same every time


def _earlier(chance: random.Random) -> Iterator[Said]:
    people = [name for name in NAMES if not name.startswith("the-")]
    for day in range(7 * WEEKS, 1, -1):
        # By number, not by weekday: the demo is the same on each day that it begins.
        pause = MINUTES_BETWEEN * (WEEKEND_FACTOR if day % 7 in (2, 3) else 1)
        minute = DAY_STARTS + chance.expovariate(1 / pause)
        while minute < DAY_ENDS:
            for line in chatter.conversation(chance, people, BOT):
                yield Said(
                    day * DAY - minute,
                    line.by,
                    line.text,
                    edited=chance.random() < EDITED,
                    deleted_by="author" if chance.random() < DELETED else "",
                )
                minute += chance.uniform(0.3, 4.0)
            minute += chance.expovariate(1 / pause)
