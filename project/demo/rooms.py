"""The rooms of the demo, and what is each person's own in them."""

from dataclasses import dataclass

from project.demo.people import NAMES


@dataclass(frozen=True, slots=True)
class DemoRoom:
    """A room. Members of a public room have no row: everybody is one. Moderators always have one."""

    slug: str
    title: str
    description: str = ""
    private: bool = False
    archived: bool = False
    moderators: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


BUSY = "operations"  # Some thousand messages over six weeks.
EMPTY = "offsite-ideas"
TEAM = ("mona", "amara", "jonas", "noura", "tomasz", "priya", "deploy-bot")

ROOMS = (
    DemoRoom("general", "General", "Everybody, about everything", moderators=("amara",)),
    DemoRoom(BUSY, "Operations", "What runs, what does not, and who is on it", moderators=("amara", "tomasz")),
    DemoRoom("releases", "Releases", "What went out, and what goes out next", True, moderators=("mona",), members=TEAM),
    DemoRoom("on-call", "On call", "This week: Jonas, then Amara", True, moderators=("mona", "amara"), members=TEAM),
    DemoRoom("frontend", "Frontend", "Pages, scripts, and what the browser makes of them", moderators=("priya",)),
    DemoRoom("databases", "Databases", "Migrations, plans, backups. Numbers, please."),
    DemoRoom("project-2", "Project 2", "Accounts and single sign-on"),
    DemoRoom("project-10", "Project 10", "The mobile app"),
    DemoRoom("kitchen", "Kitchen table", "Nothing that matters, all that counts"),
    DemoRoom("arabic", "العربية", "نتحدث هنا بالعربية"),
    DemoRoom("tokyo", "東京オフィス", "リリース、会議、ランチのこと", moderators=("haruka",)),
    DemoRoom(
        "audit",
        "Accessibility, keyboard and screen reader findings of the autumn audit, round 2",
        "One message for each finding. Reply with the commit that closes it, and how it was tried.",
    ),
    DemoRoom("support", "Customer support", "Questions that the handbook does not answer", moderators=("ifeoma",)),
    DemoRoom("book-club", "Book club"),
    DemoRoom(EMPTY, "Ideas for the offsite", "Place, days, topics. All ideas are good ideas until Friday."),
    DemoRoom("salaries", "Salaries and contracts", "Confidential", True, moderators=("mona",), members=("ifeoma",)),
    DemoRoom("office-move", "Office move", "Done. Thank you, everybody.", archived=True),
    DemoRoom("website-2019", "Website 2019", "The old site, for the record", True, True, ("mona",), ("amara", "jonas")),
)
SLUGS = tuple(room.slug for room in ROOMS)


@dataclass(frozen=True, slots=True)
class Own:
    """One person's own in a room. `unread`: of the newest messages."""

    unread: int = 0
    favourite: bool = False
    muted: bool = False
    left: bool = False


# By person and room. All others have read everything.
OWN = {
    "mona": {
        "releases": Own(favourite=True),
        BUSY: Own(unread=4, favourite=True),
        "frontend": Own(unread=3),
        "kitchen": Own(unread=2, muted=True),
        "book-club": Own(left=True),
        "tokyo": Own(left=True),
    },
    "amara": {
        BUSY: Own(unread=342, favourite=True),
        "on-call": Own(unread=1, favourite=True),
        "general": Own(unread=5),
        "databases": Own(unread=6),
        "audit": Own(unread=2),
        "arabic": Own(unread=3),
        "kitchen": Own(unread=4, muted=True),
    },
    "jonas": {
        "project-2": Own(favourite=True),
        "project-10": Own(unread=2, favourite=True),
        BUSY: Own(unread=42),
        "kitchen": Own(unread=6, muted=True),
        "support": Own(muted=True),
        "tokyo": Own(left=True),
    },
    "noura": {"arabic": Own(unread=2, favourite=True), "frontend": Own(unread=1), "book-club": Own(muted=True)},
}
for _name, _rooms in OWN.items():
    assert _name in NAMES, _name
    assert _rooms.keys() <= set(SLUGS), _rooms
