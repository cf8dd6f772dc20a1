"""A bell rings for its user, and is not there for others."""

from django.contrib.auth import get_user_model
from django.test import TestCase, override_settings
from django.urls import reverse

from bell.models import Notification
from bell.topics import BellTopic
from hubbub import Refused
from hubbub.testing import connect, published


class BellTests(TestCase):
    def setUp(self) -> None:
        self.alice, self.bob = (get_user_model().objects.create(username=name) for name in ("alice", "bob"))

    async def test_a_notification_rings_until_it_is_read(self) -> None:
        async with connect(BellTopic, self.bob.pk, user=self.bob) as page:
            self.assertEqual(page.state, {"unread": 0, "newest": []})
            await Notification.objects.acreate(user=self.bob, text="Tea is ready")
            self.assertEqual(await page.changed(), {"unread": 1, "newest": ["Tea is ready"]})
            await page.read()
            self.assertEqual(await page.changed(), {"unread": 0, "newest": ["Tea is ready"]})

    async def test_the_bell_of_another_user_is_not_found(self) -> None:
        with self.assertRaises(Refused) as refused:
            async with connect(BellTopic, self.bob.pk, user=self.alice):
                pass
        self.assertEqual(refused.exception.code, "not_found")

    @override_settings(USE_THOUSAND_SEPARATOR=True)
    def test_the_page_names_its_topic_and_the_users(self) -> None:
        charlie = get_user_model().objects.create(pk=1234, username="charlie")
        self.client.force_login(charlie)
        page = self.client.get(reverse("bell"))
        self.assertContains(page, 'data-topic="bell/1234"')
        self.assertContains(page, '<option value="1234">')

    def test_the_form_rings_at_the_user_whom_it_names(self) -> None:
        self.client.force_login(self.alice)
        with published(f"bell/{self.bob.pk}") as frames, published(f"bell/{self.alice.pk}") as others:
            self.client.post(reverse("bell"), {"user": self.bob.pk, "text": "Tea is ready"})
        self.assertEqual(([frame["type"] for frame in frames], others), (["changed"], []))
