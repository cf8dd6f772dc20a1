from django.conf import settings
from django.db import models


class Poll(models.Model):
    question = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.question


class Option(models.Model):
    poll = models.ForeignKey(Poll, models.CASCADE, related_name="options")
    text = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.text


class Vote(models.Model):
    poll = models.ForeignKey(Poll, models.CASCADE)
    option = models.ForeignKey(Option, models.CASCADE, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["poll", "user"], name="one_vote_each")]

    def __str__(self) -> str:
        return f"{self.user}: {self.option}"
