"""Creates the rooms and users of a storm in the site that the environment names.

`site` runs it in a separate process, since it needs the settings of that site.
"""

import sys

from chat import services
from hubbub import users
from hubbub.auth.tokens import create_token


def main() -> None:
    """Arguments: slugs of rooms, then `--`, then names. Prints a token for each name."""
    rooms, names = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    for slug in rooms:
        services.create_room(slug=slug, title=slug.capitalize())
    for name in names:
        user = users.create_user(name)
        sys.stdout.write(create_token(user=user, name="chaos", expires_at=None)[1] + "\n")
