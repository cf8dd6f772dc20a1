"""Run in a Django of its own: `python -m bench.prepare USERS [ROOM …]`. Prints {"cookies": […]}.

Makes the database, users with sessions, and our rooms. Works for our settings and for the peers'.
"""

import json
import sys
from importlib import import_module

import django
from django.conf import settings


def main() -> None:
    django.setup()
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.core.management import call_command

    count, rooms = int(sys.argv[1]), sys.argv[2:]
    call_command("migrate", verbosity=0, run_syncdb=True)
    model = get_user_model()
    store = import_module(settings.SESSION_ENGINE).SessionStore
    users = []
    for number in range(count):
        user = model(username=f"member-{number:04d}")
        user.set_unusable_password()
        user.save()
        users.append(user)
    cookies = []
    for user in users:
        session = store()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookies.append(session.session_key)
    if rooms:
        from chat import services

        for slug in rooms:
            services.create_room(slug=slug, title=slug)
    print(json.dumps({"cookies": cookies}))


if __name__ == "__main__":
    main()
