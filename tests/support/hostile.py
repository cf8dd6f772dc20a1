"""Frames and addresses of a hostile client."""

HOSTILE = [
    "hello",
    "[]",
    "[" * 10_000,
    '{"type": "sing", "ref": 1}',
    '{"type": "ping", "ref": 1, "extra": 1}',
    '{"type": "ping", "ref": 1e400}',
    '{"type": "ping", "ref": NaN}',
    '{"type": "ping", "ref": %s}' % ("9" * 5000),
    r'{"type": "join", "ref": 1, "topic": "room/\ud800"}',
    '{"type": "join", "ref": 1, "topic": 7}',
    '{"type": "history", "ref": 1, "topic": "room/general", "before": -1}',
    '{"type": "history", "ref": 1, "topic": "room/general", "before": 1, "limit": 101}',
    b"\x00\xff binary",
]

# No topics of chat's endpoint.
NO_ADDRESSES = ["room/../../etc", "room/General", "room/", "room", "../../etc", "", "metrics"]
