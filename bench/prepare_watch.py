"""Run in a Django of its own: `python -m bench.prepare_watch USERS ROOMS EACH`. Prints {"cookies": […]}.

Makes private rooms, and users with sessions, each a member of EACH rooms by chance, always the same.
"""

import json
import random
import sys
from datetime import timedelta

import django
from django.utils import timezone

SLUG = "watch-{}"


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    from chat.models import Membership, Room

    count, rooms, each = map(int, sys.argv[1:])
    chance = random.Random(1)
    model = get_user_model()
    people = model.objects.bulk_create(model(username=f"watcher-{number:04d}", password="!") for number in range(count))
    made = Room.objects.bulk_create(
        Room(slug=SLUG.format(number), title=f"Room {number}", is_private=True) for number in range(rooms)
    )
    Membership.objects.bulk_create(
        (Membership(room=room, user=user) for user in people for room in chance.sample(made, each)), batch_size=5_000
    )
    Membership.objects.bulk_create(
        Membership(room=room, user=user) for user in model.objects.filter(username="member-0000") for room in made
    )
    store = SessionStore()
    cookies, sessions = [], []
    for user in people:
        fields = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        cookies.append(store._get_new_session_key())
        ends = timezone.now() + timedelta(days=1)
        sessions.append(Session(session_key=cookies[-1], session_data=store.encode(fields), expire_date=ends))
    Session.objects.bulk_create(sessions)
    print(json.dumps({"cookies": cookies}))


if __name__ == "__main__":
    main()
