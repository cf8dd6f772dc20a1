"""One socket's places in groups."""

from typing import Any

import pytest

from hubbub import conf
from hubbub.auth.identity import Identity
from hubbub.consumers.memberships import Memberships
from hubbub.delivery.hub import Hub
from hubbub.limits import quotas
from hubbub.protocol import Refused
from hubbub.runtime import Runtime
from tests.support.hubs import Listener

ALICE = Identity("1", "alice", True)


@pytest.fixture
def memberships(runtime: Runtime, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Memberships:
    settings.HUBBUB = settings.HUBBUB | {"MAX_GROUPS_PER_SOCKET": 2}
    few = quotas.Quotas(conf.settings())
    monkeypatch.setattr("hubbub.consumers.memberships.quotas", lambda: few)
    monkeypatch.setattr("hubbub.consumers.memberships.runtime", lambda: runtime)
    return Memberships(Listener())


async def enter(memberships: Memberships, group: str) -> None:
    memberships.check_number(group)
    await memberships.join(group, ALICE, None, None)
    memberships.go_live(group, 0, "", ALICE.name)


async def test_an_evicted_membership_takes_no_place(memberships: Memberships, hub: Hub) -> None:
    await enter(memberships, "room.one")
    await enter(memberships, "room.two")
    with pytest.raises(Refused):
        memberships.check_number("room.three")
    hub._dispatch({"type": "hubbub.end", "group": "room.one", "text": "closed", "evicted": [ALICE.user_id]})
    await enter(memberships, "room.three")
    assert sorted(memberships) == ["room.three", "room.two"]


async def test_joining_again_takes_no_second_place_and_leaving_frees_it(memberships: Memberships, hub: Hub) -> None:
    for _ in range(3):
        await enter(memberships, "room.one")
    await enter(memberships, "room.two")
    memberships.leave("room.one")
    await enter(memberships, "room.three")
    memberships.leave_all()
    assert not [*memberships]
    assert all(subscription.group.is_empty for subscription in hub._subscriptions.values())
