"""The times of the client: those of docs/protocol.md."""

from random import Random

HELLO_SECONDS = 12.0  # From connecting to `hello`; a server that is silent for longer is tried again.
CLOSE_SECONDS = 1.0  # For the answer to a leave, and for the close frame.
PONG_SECONDS = 8.0
SILENCE_SECONDS = 5.0  # Of a stream by HTTP, beside the heartbeat: the server writes a comment within that.
POST_SECONDS = 15.0  # For a command by HTTP and its answer; the server gives it four seconds.
ANSWER_SECONDS = 10.0  # For an answer that comes over the stream, after the command was accepted.
LATE_SECONDS = 2.0  # A timer this late ran in a stopped program: frames may wait that nothing has read yet.
STEADY_SECONDS = 5.0  # A connection that lasted this long resets the back-off.
BACK_OFF_SECONDS = 0.5
MAX_BACK_OFF_SECONDS = 20.0
MIN_RETRY_SECONDS = 0.5  # Of a refused command, where the server names no time.
CALM_SECONDS = 5.0  # After 4102, before the back-off: the server asked to slow down before.
MAX_CALM_SECONDS = 600.0  # Bound of a wait that the server asks for.


def back_off(tries: int, random: Random) -> float:
    """The seconds before the next attempt, after `tries` attempts in vain."""
    return random.random() * min(BACK_OFF_SECONDS * 2.0 ** min(tries, 16), MAX_BACK_OFF_SECONDS)
