"""A state that everybody sees, and a topic of one user each."""

from typing import Any

from hubbub import SIGNED_IN, Topic, users

STATE_CHARS = 2_000


class CounterTopic(Topic, name="counter"):
    permission = SIGNED_IN

    def state(self) -> Any:
        return "x" * STATE_CHARS


class MineTopic(Topic, name="mine", key=str):
    """`mine/7-x` is of the user 7."""

    personal = True

    def state(self) -> Any:
        return {}

    def may_view(self, user: Any) -> bool:
        return self.key.partition("-")[0] == users.id_of(user)
