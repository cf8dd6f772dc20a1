"""A move is told to all who have joined, and stored nowhere."""

from django.contrib.auth import get_user_model
from django.test import TestCase

from cursors.topics import CursorsTopic
from hubbub import Refused
from hubbub.testing import connect


class CursorsTests(TestCase):
    def setUp(self) -> None:
        self.alice, self.bob = (get_user_model().objects.create(username=name) for name in ("alice", "bob"))

    async def test_a_move_is_told_to_all(self) -> None:
        async with connect(CursorsTopic, user=self.alice) as page, connect(CursorsTopic, user=self.bob) as other:
            await page.move(x=0.25, y=1)
            for each in (page, other):
                moved = await each.event("cursor.moved")
                self.assertEqual((moved["user"]["name"], moved["x"], moved["y"]), ("alice", 0.25, 1))

    async def test_a_place_outside_of_the_field_is_refused(self) -> None:
        async with connect(CursorsTopic, user=self.alice) as page:
            with self.assertRaisesMessage(Refused, "<= 1.0"):
                await page.move(x=1.5, y=0)
