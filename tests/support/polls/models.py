from django.conf import settings
from django.db import models


class Poll(models.Model):
    question = models.CharField(max_length=200)
    is_open = models.BooleanField(default=True)

    class Meta:
        app_label = "polls"

    def __str__(self) -> str:
        return self.question


class Option(models.Model):
    poll = models.ForeignKey(Poll, on_delete=models.CASCADE, related_name="options")
    text = models.CharField(max_length=200)

    class Meta:
        app_label = "polls"

    def __str__(self) -> str:
        return self.text


class Vote(models.Model):
    poll = models.ForeignKey(Poll, on_delete=models.CASCADE)
    option = models.ForeignKey(Option, on_delete=models.CASCADE, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    class Meta:
        app_label = "polls"
        constraints = [models.UniqueConstraint(fields=["poll", "user"], name="vote_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.option}"


class Note(models.Model):
    """A change of a board."""

    board = models.CharField(max_length=40)
    position = models.PositiveBigIntegerField()
    text = models.TextField()

    class Meta:
        app_label = "polls"
        constraints = [models.UniqueConstraint(fields=["board", "position"], name="note_once")]

    def __str__(self) -> str:
        return self.text


class PinnedNote(Note):
    """The same rows by another class, as an admin of its own has it."""

    class Meta:
        app_label = "polls"
        proxy = True


class Diary(models.Model):
    """A log with positions in its own row. Its pages are notes."""

    slug = models.CharField(max_length=20, unique=True)
    epoch = models.CharField(max_length=20, default="first")
    position = models.PositiveBigIntegerField(default=0)
    access_version = models.PositiveBigIntegerField(default=0)
    # Pages up to here are gone.
    purged = models.PositiveBigIntegerField(default=0)
    readers = models.ManyToManyField(settings.AUTH_USER_MODEL)

    class Meta:
        app_label = "polls"

    def __str__(self) -> str:
        return self.slug


class ApiToken(models.Model):
    """A token as Django REST framework has it."""

    key = models.CharField(max_length=40, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    class Meta:
        app_label = "polls"

    def __str__(self) -> str:
        return f"token of {self.user}"
