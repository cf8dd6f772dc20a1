"""Run in a Django of its own: `python -m bench.prepare_page SLUG=MESSAGES …`. Collects static files, and fills rooms.

Each message has its room's slug and its number in the text. Some have code, a list, a link, or several lines.
"""

import sys
from uuid import uuid4

import django

WORDS = "the build is green again, and the release can go out this afternoon if nobody has a reason against it "
AUTHORS = 5
# In turns. {} is the mark of the message.
TEXTS = (
    "{}: " + WORDS[:60],
    "{}: ok",
    "{}: " + WORDS * 2,
    "{}: see https://docs.example.org/releases/how-to for the steps",
    "{}: `make check` says\n\n```\nerror: 2 files would be reformatted\n```",
    "{}: " + WORDS[:90] + "\nand a second line",
    "{}: first\n\n- one\n- **two**\n- three",
    "{}: " + WORDS[:30],
)


def text_of(slug: str, number: int) -> str:
    return TEXTS[number % len(TEXTS)].format(f"{slug} line {number}")


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from chat import posting, services

    call_command("collectstatic", interactive=False, verbosity=0)
    model = get_user_model()
    authors = [user.pk for user in model.objects.order_by("pk")[:AUTHORS]]
    for argument in sys.argv[1:]:
        slug, _, count = argument.rpartition("=")
        services.create_room(slug=slug, title=slug.replace("-", " ").capitalize())
        # Three in a row of one author, as people write.
        posts = [
            posting.Post(str(authors[number // 3 % AUTHORS]), slug, uuid4(), text_of(slug, number))
            for number in range(int(count))
        ]
        for first in range(0, len(posts), 100):
            posting.post_messages(posts[first : first + 100])


if __name__ == "__main__":
    main()
