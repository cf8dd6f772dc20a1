"""How much the case `page` does of each, and how slow. Tests set them lower."""

ROUND_TRIP = 0.150
SLOWER = 4.0
MAX_ROUNDS = 3
ROOMS_NEW = 5  # Rooms of a switch, each entered for the first time, then again.
LOADS = 3
ROWS = 600
EVENTS = 10
REST_SECONDS = 0.5  # Between events and after loads: the page has ended the work of the last.
MINUTE_SECONDS = 60.0
IDLE_SECONDS = 10.0  # Before it, for comparison.
PER_SECOND = 10
HOUR_MESSAGES = 36_000
HOUR_PER_SECOND = 1_000.0
AT_ONCE = 300
MAX_MORE = 600
HEAP_FIRST = 600  # Until then a page grows to what it keeps.
ENTERS = 10
LONE_MESSAGES = 30
WAITING = 3
OLD_MESSAGES = 341
NEW_MESSAGES = 5
