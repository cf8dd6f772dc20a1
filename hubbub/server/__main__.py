"""`python -m hubbub.server [daphne's options] project.asgi:application`"""

import gc
import sys

from hubbub.process.extras import missing

if __name__ == "__main__":
    if (line := missing("server", "daphne", "hubbub.server")) is not None:
        sys.exit(line)
    # Nearly all that imports allocate stays: collections in between take a fifth of the start. `Cli.run` enables them.
    gc.disable()
    from hubbub.server.server import Cli

    Cli.entrypoint()
