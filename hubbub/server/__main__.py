"""`python -m hubbub.server [daphne's options] project.asgi:application`"""

import sys

from hubbub.process.extras import missing

if __name__ == "__main__":
    if (line := missing("server", "daphne", "hubbub.server")) is not None:
        sys.exit(line)
    from hubbub.server.server import Cli

    Cli.entrypoint()
