"""A script that changes the counter: `python -m bench.topics_site.burst CHANGES`. Each change is a transaction."""

import sys
import time

import django


def main() -> None:
    django.setup()
    from bench.topics_site.topics import CounterTopic
    from hubbub import publish

    CounterTopic().changed()
    publish.flush()
    began = time.perf_counter()
    for _ in range(int(sys.argv[1]) - 1):
        CounterTopic().changed()
    publish.flush()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
