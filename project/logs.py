"""What the log leaves out: tracebacks that tell an operator nothing, and the same line again and again."""

import logging

LAYER = "channels_redis.pubsub"
QUIET_SECONDS = 10.0  # The layer tries, and says so, about once a second while Redis is away.


class Brief(logging.Filter):
    """One line for a refused request (below 500), and one for an outage of Redis, however long it lasts."""

    def __init__(self) -> None:
        super().__init__()
        self._layer_failed_at = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == LAYER:
            return self._is_new(record)
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = None
        return True

    def _is_new(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            record.msg = f"{record.getMessage()}: {type(error).__name__}: {error}"
            record.args = record.exc_info = None
        quiet_seconds = record.created - self._layer_failed_at
        self._layer_failed_at = record.created
        return quiet_seconds > QUIET_SECONDS
