"""A script that publishes, by standard input: `python -m bench.publisher hubbub GROUP` or `… redis CHANNEL`.

`burst MARK FIRST LAST SIZE` publishes texts of SIZE bytes and answers with the time at which it began.
`more …` does the same without an answer.
"""

import os
import sys
import time
from collections.abc import Callable


def main() -> None:
    kind, name = sys.argv[1:]
    publish = _hubbub(name) if kind == "hubbub" else _redis(name)
    for line in sys.stdin:
        word, mark, first, last, size = line.split()
        texts = [f"{mark}{number:08d}.".ljust(int(size), "x") for number in range(int(first), int(last))]
        began = time.perf_counter()
        for text in texts:
            publish(text)
        if word == "burst":
            print(began, flush=True)


def _hubbub(group: str) -> Callable[[str], None]:
    import django

    django.setup()
    from hubbub.publish import publish

    return lambda text: publish(group, text)


def _redis(channel: str) -> Callable[[str], object]:
    import redis

    client = redis.from_url(os.environ["REDIS_URL"])
    return lambda text: client.publish(channel, text)


if __name__ == "__main__":
    main()
