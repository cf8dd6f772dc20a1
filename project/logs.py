"""What the log leaves out: tracebacks that tell an operator nothing, and the same line again and again."""

import logging

# They try, and say so, about once a second while Redis or PostgreSQL is away.
REPEATING = ("channels_redis.pubsub", "psycopg.pool")
QUIET_SECONDS = 10.0


class Brief(logging.Filter):
    """One line for a refused request (below 500), and one for an outage of Redis or PostgreSQL, however long."""

    def __init__(self) -> None:
        super().__init__()
        self._failed_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        # 503: what a load balancer asks again and again.
        if record.name in REPEATING or getattr(record, "status_code", 0) == 503:
            return self._is_new(record)
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = None
        return True

    def _is_new(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            record.msg = f"{record.getMessage()}: {type(error).__name__}: {error}"
            record.args = record.exc_info = None
        quiet_seconds = record.created - self._failed_at.get(record.name, float("-inf"))
        self._failed_at[record.name] = record.created
        return quiet_seconds > QUIET_SECONDS
