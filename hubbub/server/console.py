"""The log of a server on its console, for a site whose LOGGING has no handler for all loggers, as Django's default."""

import logging
import sys

# By the number of daphne's option -v.
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG, logging.DEBUG)


def log_to_console(verbosity: int, line_format: str) -> None:
    """Log to standard error, each line once. A site's own handlers of the root logger stay alone."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=LEVELS[verbosity], format=line_format)
        logging.getLogger().handlers[0].addFilter(_is_not_shown)


def _is_not_shown(record: logging.LogRecord) -> bool:
    """Whether no handler below the root has shown the record: under DEBUG Django's logger has one of its own."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger.parent is not None:
        for handler in logger.handlers:
            is_console = getattr(handler, "stream", None) in (sys.stderr, sys.stdout)
            if is_console and record.levelno >= handler.level and handler.filter(record):
                return False
        logger = logger.parent
    return True
