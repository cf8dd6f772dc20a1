"""What the views give, and that a vote by a form reaches the pages that are open."""

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import reverse

from hubbub.testing import published
from polls.models import Option, Poll


class HtmxTests(TestCase):
    def setUp(self) -> None:
        self.poll = Poll.objects.create(question="Tea?")
        self.yes, self.no = (Option.objects.create(poll=self.poll, text=text) for text in ("Yes", "No"))
        self.client.force_login(get_user_model().objects.create(username="alice"))

    def vote(self, option: object) -> int:
        return self.client.post(reverse("htmx-vote", args=[self.poll.pk]), {"option": option}).status_code

    def test_a_vote_is_published_and_shown_by_the_next_fetch(self) -> None:
        with published(f"poll/{self.poll.pk}") as frames:
            self.assertEqual(self.vote(self.yes.pk), 204)
        self.assertEqual([frame["type"] for frame in frames], ["changed"])
        bars = self.client.get(reverse("htmx-bars", args=[self.poll.pk]))
        self.assertContains(bars, "Yes: 1")
        self.assertNotContains(bars, "<html")

    def test_the_page_names_its_topic_and_where_its_bars_are(self) -> None:
        page = self.client.get(reverse("htmx-poll", args=[self.poll.pk]))
        self.assertContains(page, f'data-topic="poll/{self.poll.pk}"')
        self.assertContains(page, f'hx-get="{reverse("htmx-bars", args=[self.poll.pk])}"')

    def test_an_option_of_another_poll_and_a_poll_that_is_not_there_are_not_found(self) -> None:
        other = Option.objects.create(poll=Poll.objects.create(question="Milk?"), text="Yes")
        self.assertEqual(self.vote(other.pk), 404)
        self.assertEqual(self.client.get(reverse("htmx-poll", args=[0])).status_code, 404)
