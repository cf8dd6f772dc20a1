"""A script that publishes, told on standard input: `python -m bench.publisher hubbub GROUP` or `… redis CHANNEL`.

`burst FIRST LAST SIZE` publishes so many texts of so many bytes; it answers with the time at which it began.
"""

import os
import sys
import time
from collections.abc import Callable


def main() -> None:
    kind, name = sys.argv[1:]
    publish = _hubbub(name) if kind == "hubbub" else _redis(name)
    for line in sys.stdin:
        _, first, last, size = line.split()
        texts = [text_of(number, int(size)) for number in range(int(first), int(last))]
        began = time.perf_counter()
        for text in texts:
            publish(text)
        print(began, flush=True)


def text_of(number: int, size: int) -> str:
    return f"n{number:08d}.".ljust(size, "x")


def _hubbub(group: str) -> Callable[[str], None]:
    import django

    django.setup()
    from realtime.publish import publish

    return lambda text: publish(group, text)


def _redis(channel: str) -> Callable[[str], object]:
    import redis

    client = redis.from_url(os.environ["REDIS_URL"])
    return lambda text: client.publish(channel, text)


if __name__ == "__main__":
    main()
