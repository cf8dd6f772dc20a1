"""Content that looks like a real site's, always the same: people, rooms, two days of talk, ten minutes of two hosts."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.contrib.auth import get_user_model

from chat import posting, services
from chat.models import Membership, Message, Room
from monitor.protocol import Host, MetricsSampled, Network, Process, Usage

NOW = datetime(2026, 11, 17, 10, 42, 8, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
INTERVAL_MS = 2000
SAMPLES = 300
GIB = 1 << 30

STAFF = "mona"
PEOPLE = [STAFF, "amara", "jonas", "noura", "tomasz", "m.hohenstein"]
ROOMS = [
    {"slug": "releases", "title": "Releases", "description": "What went out, and what goes out next"},
    {"slug": "on-call", "title": "On call", "description": "This week: Jonas, then Amara", "is_private": True},
    {"slug": "kitchen", "title": "Kitchen table", "description": "Nothing that matters, all that counts"},
    {"slug": "arabic", "title": "العربية", "description": "نتحدث هنا بالعربية"},
    {"slug": "office-move", "title": "Office move", "description": "Done. Thank you, everybody."},
    {"slug": "book-club", "title": "Book club", "description": ""},
]
# Minutes before NOW, room, author, text. Oldest first.
TALK = [
    (26 * 1440, "office-move", "tomasz", "The last box is unpacked. Keys go back on Friday."),
    (4 * 1440 + 250, "kitchen", "noura", "There is cake left on the second floor"),
    (3 * 1440 + 90, "general", "amara", "Welcome, Maximiliane! Ask anything here, all of us started by asking."),
    (1441, "on-call", "jonas", "Quiet night, no pages. Handing over to Amara on Thursday."),
    (1120, "operations", "tomasz", "The backup of borealis took 41 minutes yesterday, it was 12 the week before."),
    (1119, "operations", "tomasz", "Nothing else ran on the host at that time."),
    (1112, "operations", "jonas", "It is the new index. I rebuilt it on Friday and it doubled in size."),
    (1108, "operations", "amara", "Can it wait until after the release? I would rather not touch it today."),
    (1107, "operations", "jonas", "It can. I put it on Wednesday."),
    (1013, "releases", "amara", "2.14 is tagged. It goes out tomorrow at eleven."),
    (76, "operations", "noura", "صباح الخير، هل يمكن لأحد مراجعة إعدادات الخادم قبل الساعة الحادية عشرة؟"),
    (71, "operations", "m.hohenstein", "On it. The diff is here: https://git.example.org/infra/compare/7f3c"),
    (64, "operations", "m.hohenstein", "Looks right to me. One question: do we still need this one?"),
    (64, "operations", "m.hohenstein", "net.ipv4.conf.all.accept_source_route_from_the_old_balancer_in_the_cellar=0"),
    (58, "operations", "noura", "No, that was for the old balancer. Out it goes."),
    (31, "operations", "jonas", "Load on atlas is up since ten, but the queue is empty 😕"),
    (29, "operations", "tomasz", "That is the report for finance, it should be over in five minutes."),
    (22, "kitchen", "jonas", "Coffee machine is back ☕"),
    (6, "general", "noura", "Lunch at half past twelve? The Lebanese place has tables outside."),
    (5, "operations", STAFF, "Load is down again. We release at eleven, as planned."),
    (3, "operations", "amara", "Ready when you are."),
]  # fmt: skip
EDITED = "Load is down again. We release at eleven, as planned."
DELETED = "Nothing else ran on the host at that time."


def make_site() -> None:
    """People, rooms and talk, in an empty, migrated database."""
    users = {name: get_user_model().objects.create_user(username=name) for name in PEOPLE}
    get_user_model().objects.filter(username=STAFF).update(is_staff=True, is_superuser=True)
    for room in ROOMS:
        services.create_room(**room)
    rooms = {room.slug: room for room in Room.objects.all()}
    for slug in ("on-call", "releases"):
        for name in PEOPLE[:4]:
            role = Membership.Role.MODERATOR if name == STAFF else Membership.Role.MEMBER
            services.set_membership(room_id=rooms[slug].pk, user_id=users[name].pk, role=role)
    for number, (minutes, slug, name, body) in enumerate(TALK, 1):
        author, at = users[name].pk, NOW - timedelta(minutes=minutes)
        posted = posting.post_message(user_id=author, slug=slug, client_id=UUID(int=number), body=body)
        if body == EDITED:
            services.edit_message(user_id=author, slug=slug, seq=posted.seq, body=f"{body} Thanks, Tomasz.")
        if body == DELETED:
            services.delete_message(user_id=author, slug=slug, seq=posted.seq)
        # The services know no other time than now.
        Message.objects.filter(room__slug=slug, seq=posted.seq).update(at=at)
    services.change_room(room_id=rooms["office-move"].pk, is_archived=True)
    for number, room in enumerate(Room.objects.order_by("pk")):
        Room.objects.filter(pk=room.pk).update(created_at=NOW - timedelta(days=120 - 11 * number, minutes=37 * number))


def samples() -> Iterator[MetricsSampled]:
    """The last ten minutes, oldest first; the last one is made at NOW."""
    chance = random.Random(14)  # noqa: S311 - wanted: the same every time
    atlas, borealis = _Machine("atlas", 8, 31, chance), _Machine("borealis", 16, 58, chance)
    for seq in range(1, SAMPLES + 1):
        hosts = tuple(machine.host(seq) for machine in (atlas, borealis))
        processes = tuple(process for machine in (atlas, borealis) for process in machine.processes())
        at = NOW - timedelta(milliseconds=INTERVAL_MS * (SAMPLES - seq))
        yield MetricsSampled(epoch=EPOCH, seq=seq, at=at, hosts=hosts, processes=processes)


class _Machine:
    """Readings that wander about a middle, with a busy stretch in the second half."""

    def __init__(self, name: str, cores: int, memory_percent: float, chance: random.Random) -> None:
        self._name = name
        self._chance = chance
        self._cores = [chance.uniform(8, 34) for _ in range(cores)]
        self._middles = list(self._cores)
        self._memory_percent = memory_percent
        self._received = self._sent = 0.0

    def host(self, seq: int) -> Host:
        chance = self._chance
        busy = 38 * math.exp(-(((seq - 0.68 * SAMPLES) / 28) ** 2)) if self._name == "atlas" else 0
        for index, middle in enumerate(self._middles):
            step = chance.gauss(0, 4) + (middle + busy - self._cores[index]) * 0.25
            self._cores[index] = min(100.0, max(0.5, self._cores[index] + step))
        cores = tuple(round(percent, 1) for percent in self._cores)
        cpu = round(sum(cores) / len(cores), 1)
        self._memory_percent += chance.gauss(0, 0.06)
        self._received = max(4e4, self._received * 0.8 + chance.expovariate(1 / 3e5) + busy * 4e3)
        self._sent = max(3e4, self._sent * 0.8 + chance.expovariate(1 / 1.4e5))
        total = len(cores) * 4 * GIB
        load = round(cpu / 100 * len(cores), 2)
        return Host(
            id=self._name,
            name=self._name,
            cpu_percent=cpu,
            cores_percent=cores,
            memory_bytes=Usage(round(total * self._memory_percent / 100), total),
            swap_bytes=Usage(GIB // 8, 4 * GIB),
            disk_bytes=Usage(round(171.4 * GIB), 480 * GIB),
            network_bytes_per_second=Network(round(self._received), round(self._sent)),
            load=(load, round(load * 0.93, 2), round(load * 0.88, 2)),
            uptime_seconds=37 * 86400 + 5 * 3600 + seq * 2,
        )

    def processes(self) -> Iterator[Process]:
        chance = self._chance
        for number in (1, 2, 3):
            yield Process(
                id=f"{self._name}:web-{number}:{4100 + 7 * number}",
                host_name=self._name,
                sockets=212 + 17 * number - chance.randint(0, 4),
                frames_in_per_second=round(chance.uniform(11, 19), 1),
                deliveries_per_second=round(chance.uniform(480, 700), 1),
                lag_p99_ms=round(chance.uniform(0.6, 1.9), 1),
                lag_max_ms=round(chance.uniform(2.0, 6.5), 1),
                memory_bytes=round((96 + 3 * number) * (1 << 20) + chance.uniform(0, 3e5)),
            )
