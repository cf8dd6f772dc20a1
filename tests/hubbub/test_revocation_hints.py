"""Hints of changed access beside sweeps: which verdicts evict, and which are checked again."""

import asyncio
from typing import Any

from hubbub.auth.member_revocation import MemberRevoker
from hubbub.delivery.recovery import Recovery
from tests.support.hubs import until


class Groups:
    """Two groups with the users 1 and 2 in each, and checks that the test lets go on."""

    def __init__(self) -> None:
        self.user_ids = {"1", "2"}
        self.recovery: Any = Recovery(self.fail, self.fail, self.find_revoked)
        self.answers: list[tuple[dict[str, set[str]], asyncio.Future[Any]]] = []
        self.closed: list[tuple[str, set[str]]] = []
        self.revoker = MemberRevoker(lambda: {"a": self.named("a"), "b": self.named("b")}, lambda user_id: {"a", "b"})

    async def fail(self, *_: Any) -> Any:
        raise AssertionError

    async def find_revoked(self, users: dict[str, set[str]]) -> Any:
        for group in sorted(users):
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self.answers.append(({group: users[group]}, answer))
            denied = await answer
            yield {group: denied} if denied else {}  # As `reading.find_denied`.

    def named(self, name: str) -> Any:
        groups = self

        class Group:
            user_ids = groups.user_ids
            recovery = groups.recovery

            def close(self, text: str, user_ids: set[str]) -> None:
                groups.closed.append((name, user_ids))

        return Group()

    async def next(self) -> tuple[dict[str, set[str]], Any]:
        await until(lambda: bool(self.answers))
        return self.answers.pop(0)


async def test_a_hint_does_not_wait_for_a_sweep_and_voids_what_was_read_before_it() -> None:
    groups = Groups()
    revoker = groups.revoker
    running = [asyncio.create_task(each.run()) for each in (revoker.recheck, revoker.recheck_users, revoker.sweep)]
    try:
        revoker.sweep.request(None)
        asked, sweep = await groups.next()
        assert asked == {"a": {"1", "2"}}
        # The user 1 is granted access again; the sweep has read the time before.
        revoker.users_changed(["1"])
        asked, hint = await groups.next()
        assert asked == {"a": {"1"}}
        sweep.set_result({"1": "out", "2": "out"})
        await until(lambda: groups.closed == [("a", {"2"})])
        hint.set_result({})
        # The second part of the sweep is read after the hint.
        for _ in range(2):
            asked, answer = await groups.next()
            answer.set_result(dict.fromkeys(asked["b"], "out") if asked["b"] == {"1", "2"} else {})
        await until(lambda: groups.closed == [("a", {"2"}), ("b", {"1", "2"})])

        revoker.sweep.request(None)
        _, sweep = await groups.next()
        revoker.access_changed("a")
        sweep.set_result({"1": "out"})
        asked, answer = await groups.next()
        while asked != {"a": {"1", "2"}}:
            answer.set_result({})
            asked, answer = await groups.next()
        assert len(groups.closed) == 2
        answer.set_result({"1": "out"})
        await until(lambda: groups.closed[2:] == [("a", {"1"})])
    finally:
        for task in running:
            task.cancel()


async def test_hints_without_end_keep_nobody_in() -> None:
    groups = Groups()
    checking = asyncio.create_task(groups.revoker.recheck.run())
    try:
        groups.revoker.access_changed("a")
        for _ in range(4):
            assert groups.closed == []
            _, answer = await groups.next()
            groups.revoker.access_changed("a")
            answer.set_result({"1": "out"})
        await until(lambda: groups.closed == [("a", {"1"})])
    finally:
        checking.cancel()


async def test_hints_about_a_user_without_end_keep_nobody_in() -> None:
    groups = Groups()
    checking = asyncio.create_task(groups.revoker.recheck.run())
    try:
        groups.revoker.access_changed("a")
        for _ in range(4):
            assert groups.closed == []
            _, answer = await groups.next()
            groups.revoker.users_changed(["1"])
            groups.revoker.access_changed("a")
            answer.set_result({"1": "out"})
        await until(lambda: groups.closed == [("a", {"1"})])
    finally:
        checking.cancel()


async def test_verdicts_before_an_allowed_check_do_not_count() -> None:
    """However often a user is granted access again while an older verdict is read."""
    groups = Groups()
    checking = asyncio.create_task(groups.revoker.recheck.run())
    try:
        groups.revoker.access_changed("a")
        for _ in range(6):
            _, before = await groups.next()
            groups.revoker.access_changed("a")
            before.set_result({"1": "out"})
            _, after = await groups.next()
            after.set_result({})
            await until(lambda: not groups.revoker._left_out)
            assert groups.closed == []
            groups.revoker.access_changed("a")
    finally:
        checking.cancel()


async def test_what_is_evicted_by_a_failing_sweep_stays_evicted() -> None:
    groups = Groups()
    sweep = asyncio.create_task(groups.revoker.sweep.run())
    try:
        groups.revoker.check_all()
        _, first = await groups.next()
        first.set_result({"1": "out"})
        _, second = await groups.next()
        second.set_exception(OSError("the database is away"))
        await until(lambda: groups.closed == [("a", {"1"})])
        assert (await groups.next())[0] == {"a": {"1", "2"}}  # Once more.
    finally:
        sweep.cancel()
