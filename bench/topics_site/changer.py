"""A script that changes the counter, by standard input: `python -m bench.topics_site.changer`.

A line has a number of changes; each is a transaction. The answer is the time at which they began.
"""

import sys
import time

import django


def main() -> None:
    django.setup()
    from bench.topics_site.topics import CounterTopic
    from hubbub.publish import flush

    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            CounterTopic().changed()
        flush()
        print(began, flush=True)


if __name__ == "__main__":
    main()
