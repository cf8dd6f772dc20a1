"""The people of the demo. They are made up, as is all that they say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the demo.

    Attributes:
        name: to sign in with.
        shown: the display name; empty: others see the user name.
        picture: the number of a drawing; 0: none, and pages show the first letter.
        talks: a robot that writes as this user, while the demo runs.
    """

    name: str
    shown: str = ""
    status: str = ""
    picture: int = 0
    talks: bool = False


ADMIN = "mona"
# The names that the start prints, each with a reason to be that user.
SIGN_INS = {
    ADMIN: "the administrator: also the dashboard and the admin",
    "amara": "moderates rooms, and has many unread messages",
    "jonas": "a member, with favourites and muted rooms",
    "noura": "writes from right to left",
}

PEOPLE = (
    Person("mona", "Mona Lindqvist", "Release week: short answers", 19),
    Person("amara", "Amara Okafor", "On call until Thursday 📟", 11),
    Person("jonas", "Jonas Weber", "", 9),
    Person("noura", "نورا حداد", "في اجتماع حتى الثالثة", 17),
    Person("tomasz", "Tomasz Wiśniewski", "Back on Monday", 16, talks=True),
    Person("m.hohenstein", "Maximiliane von Hohenstein-Gerabronn zu Langenburg", "New here. Say hello 👋", 6),
    Person("priya", "Priya Raman", "Pairing all afternoon", 1, talks=True),
    Person("haruka", "佐藤 はるか", "東京は今、夕方です", 10, talks=True),
    Person("kenji", "田中 健二", "", 5),
    Person("minjun", "김민준", "점심 먹으러 갔어요 🍜", 15),
    Person("weilin", "林慧玲", "", 20, talks=True),
    Person("yael", "יעל כהן", "חוזרת ביום ראשון", 4, talks=True),
    Person("olena", "Олена Шевченко", "Читаю, але не завжди відповідаю", 7, talks=True),
    Person("eleni", "Ελένη Παπαδοπούλου", "", 12),
    Person("lucia", "Lucía Fernández", "☕", 14, talks=True),
    Person("pierre", "Pierre-Antoine d’Aubigné", "", 13),
    Person("sven", "Sven", "Parental leave from December", 18, talks=True),
    Person("zoe", "Zoë Vandenberghe", "", 8),
    Person("ifeoma", "Ifeoma", "Ask me about invoices", 2),
    Person("kofi"),
    Person("farid", "فرید رضایی"),
    Person("ana.souza", "Ana Souza", "Fora até terça", 3),
    Person("the-quiet-reader-of-every-single-room-of-this-company", "", "I only read"),
    Person("deploy-bot", "Deployer", "I announce what goes out", 21, talks=True),
    Person("ryan", "Ryan", "they/them 🙂"),
)
NAMES = tuple(person.name for person in PEOPLE)
ROBOTS = tuple(person.name for person in PEOPLE if person.talks)
BOT = "deploy-bot"
