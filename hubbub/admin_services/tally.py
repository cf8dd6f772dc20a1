"""What an action of the admin has done so far: counted over all its requests, and kept in the form that goes on."""

from dataclasses import dataclass, field

from django.http import QueryDict

NAMED = 10  # Failures, and other results. More would be a wall of text.
CHARS = 300  # Of each.
FAILURE, OTHER = "failure", "other_result"  # A field for each named one.
FIELDS = ("total", "done", "failed", "other", FAILURE, OTHER)


@dataclass
class Tally:
    """The counts of an action, in rows. They come back from the browser, and nothing but a message is made of them."""

    total: int  # Rows that the action began with.
    done: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)  # Of the first ones: the row, and why it failed.
    other: int = 0  # Rows with another result than the action's.
    others: list[str] = field(default_factory=list)  # Of the first ones: the result.

    @classmethod
    def from_form(cls, form: QueryDict, left: int) -> "Tally":
        """What the form says. A form that says nothing begins an action on `left` rows."""
        total = _number(form, "total")
        if not total:
            return cls(left)
        done, failed, other = (min(_number(form, name), total) for name in ("done", "failed", "other"))
        failures, others = (form.getlist(name)[:NAMED] for name in (FAILURE, OTHER))
        return cls(max(total, left), done, failed, failures, other, others)

    def fields(self) -> list[tuple[str, str]]:
        """The fields of the form that goes on."""
        counts = [(name, str(getattr(self, name))) for name in ("total", "done", "failed", "other")]
        return [*counts, *((FAILURE, text) for text in self.failures), *((OTHER, text) for text in self.others)]

    def fail(self, row: object, reason: str) -> None:
        """Count a row that was refused, and name it if it is one of the first."""
        self.failed += 1
        if len(self.failures) < NAMED:
            self.failures.append(f"{row} ({reason})"[:CHARS])

    def add_other(self, text: str) -> None:
        """Count a row with another result. A result that several rows have is named once."""
        self.other += 1
        if len(self.others) < NAMED and text[:CHARS] not in self.others:
            self.others.append(text[:CHARS])

    def failures_in_words(self) -> str:
        rest = self.failed - len(self.failures)
        return "; ".join(self.failures) + (f" and {rest:,} more" if rest > 0 else "")

    def others_in_words(self) -> str:
        return "; ".join(self.others) + (" and others" if len(self.others) == NAMED else "")

    @property
    def is_complete(self) -> bool:
        """Whether each row has had its result. False: somebody else was quicker with some."""
        return self.done + self.failed + self.other >= self.total


def _number(form: QueryDict, name: str) -> int:
    text = form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
