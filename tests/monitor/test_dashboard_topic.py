"""The dashboard's topic as its pages have it, by `hubbub.testing`, with samples of a real publisher."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from hubbub import Refused
from hubbub.testing import connect
from monitor.topics import MetricsTopic
from tests.support.topic_page import in_thread

pytestmark = pytest.mark.django_db(transaction=True)


def allow(user: Any) -> None:
    user.user_permissions.add(Permission.objects.get(codename="view_dashboard"))


async def test_a_page_gets_the_recent_samples_and_each_new_one(
    make_publisher: Any, clock: Any, mona: Any, alice: Any
) -> None:
    await in_thread(allow)(mona)
    publisher = make_publisher()
    await publisher.beat()
    clock.now += 2
    async with connect(MetricsTopic, user=mona) as page, connect(MetricsTopic, user=mona) as other:
        assert [sample["seq"] for sample in page.state["samples"]] == [1]
        await publisher.beat()
        seen = [await each.event("metrics.sampled") for each in (page, other)]
        assert seen[0] == seen[1]
        assert (seen[0]["seq"], seen[0]["hosts"][0]["name"]) == (2, "alpha")
        assert seen[0]["position"] > page.position
        await in_thread(mona.user_permissions.clear)()
        assert await page.closed() == "forbidden"
        clock.now += 2
        await publisher.beat()
        assert len(page.frames) == 1
    with pytest.raises(Refused) as refused:
        async with connect(MetricsTopic, user=alice):
            pass
    assert refused.value.code == "forbidden"
