"""`python -m hubbub.server [daphne's options] project.asgi:application`"""

from hubbub.server.server import Cli

if __name__ == "__main__":
    Cli.entrypoint()
