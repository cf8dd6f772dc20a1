"""Rules of values that a type cannot say. A leaf."""

import ipaddress
import re
from urllib.parse import urlsplit

# Peers on a UNIX socket have no address; this word in TRUSTED_PROXIES trusts them.
UNIX = "unix"
SCOPE = re.compile(r"[!-~]{1,80}")
# Names of `manage.py up` itself, in its log.
OWN_PROGRAM = re.compile(r"redis|release|web-\d+")


def is_proxy(word: str) -> bool:
    """Whether `word` is an address, a network or `unix`."""
    try:
        return word == UNIX or ipaddress.ip_network(word) is not None
    except ValueError:
        return False


def is_url(text: str) -> bool:
    """Whether host and port of the URL can be read."""
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False
