"""What users see of a poll. They run in milliseconds, without server, Redis and browser."""

from django.contrib.auth import get_user_model
from django.test import TestCase, override_settings
from django.urls import reverse

from hubbub import Refused
from hubbub.testing import connect, published
from polls.models import Option, Poll
from polls.topics import PollTopic


class PollTests(TestCase):
    def setUp(self) -> None:
        self.alice, self.bob = (get_user_model().objects.create(username=name) for name in ("alice", "bob"))
        self.poll = Poll.objects.create(question="Tea?")
        self.yes, self.no = (Option.objects.create(poll=self.poll, text=text) for text in ("Yes", "No"))

    async def test_a_vote_is_shown_to_all(self) -> None:
        async with (
            connect(PollTopic, self.poll.pk, user=self.alice) as page,
            connect(PollTopic, self.poll.pk, user=self.bob) as other,
        ):
            self.assertEqual(page.state["question"], "Tea?")
            await page.vote(option=self.yes.pk)
            for each in (page, other):
                self.assertEqual([bar["n"] for bar in (await each.changed())["bars"]], [1, 0])

    async def test_a_second_vote_replaces_the_first(self) -> None:
        async with connect(PollTopic, self.poll.pk, user=self.alice) as page:
            await page.vote(option=self.yes.pk)
            await page.vote(option=self.no.pk)
            self.assertEqual([bar["n"] for bar in (await page.changed())["bars"]], [0, 1])

    async def test_an_option_of_another_poll_is_refused(self) -> None:
        async with connect(PollTopic, self.poll.pk, user=self.alice) as page:
            with self.assertRaisesMessage(Refused, "there is no such option"):
                await page.vote(option=0)

    async def test_a_poll_that_is_not_there_is_not_found(self) -> None:
        with self.assertRaisesMessage(Refused, "there is no such poll"):
            async with connect(PollTopic, 0, user=self.alice):
                pass

    @override_settings(USE_THOUSAND_SEPARATOR=True)
    def test_the_page_names_its_topic(self) -> None:
        self.client.force_login(self.alice)
        poll = Poll.objects.create(pk=1234, question="Milk?")
        self.assertContains(self.client.get(reverse("poll", args=[poll.pk])), 'data-topic="poll/1234"')

    def test_a_question_that_the_admin_saves_is_published(self) -> None:
        with published(f"poll/{self.poll.pk}") as frames:
            self.poll.save()
        self.assertEqual([frame["type"] for frame in frames], ["changed"])
