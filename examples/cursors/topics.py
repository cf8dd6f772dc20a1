"""Cursors of all users on one page: told to the others, and stored nowhere."""

from typing import Annotated

from msgspec import Meta

from hubbub import SIGNED_IN, VIEW, Topic, command
from hubbub.protocol import Person

Share = Annotated[float, Meta(ge=0, le=1)]  # Of the width or height of the field.


class CursorsTopic(Topic, name="cursors"):
    permission = SIGNED_IN
    presence = True  # Pages remove the cursors of users who left.

    def state(self) -> None:
        """Nothing is stored."""

    @command("cursor.move", permission=VIEW, told=True)
    def move(self, user: Person, x: Share, y: Share) -> None:
        self.tell({"type": "cursor.moved", "user": user, "x": x, "y": y})
