"""The results of an admin action so far: counted over all its requests, and sent along in its form."""

from dataclasses import dataclass, field

from django.http import QueryDict
from django.utils.translation import gettext

MAX_NAMED = 10  # Failures, and other results, that are listed in full.
MAX_CHARS = 300  # Of each.
FAILURE, OTHER = "failure", "other_result"  # Form fields, one for each listed result.
FIELDS = ("total", "done", "failed", "other", FAILURE, OTHER)


@dataclass
class Tally:
    """The counts of an action, in rows. The browser sends them back, so they are used only for messages."""

    total: int  # Selected rows.
    done: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)  # The first failed rows, each with its reason.
    other: int = 0  # Rows with another result than the action's.
    others: list[str] = field(default_factory=list)  # The first of these results.

    @classmethod
    def from_form(cls, form: QueryDict, left: int) -> "Tally":
        """Read the tally from the form; a form without one starts an action on `left` rows."""
        total = _number(form, "total")
        if not total:
            return cls(left)
        done, failed, other = (min(_number(form, name), total) for name in ("done", "failed", "other"))
        failures, others = (form.getlist(name)[:MAX_NAMED] for name in (FAILURE, OTHER))
        return cls(max(total, left), done, failed, failures, other, others)

    def fields(self) -> list[tuple[str, str]]:
        """Return the form fields of this tally."""
        counts = [(name, str(getattr(self, name))) for name in ("total", "done", "failed", "other")]
        return [*counts, *((FAILURE, text) for text in self.failures), *((OTHER, text) for text in self.others)]

    def fail(self, row: object, reason: str) -> None:
        """Count a failed row, and list it if it is one of the first."""
        self.failed += 1
        if len(self.failures) < MAX_NAMED:
            self.failures.append(f"{row} ({reason})"[:MAX_CHARS])

    def add_other(self, text: str) -> None:
        """Count a row with another result. Equal results are listed once."""
        self.other += 1
        if len(self.others) < MAX_NAMED and text[:MAX_CHARS] not in self.others:
            self.others.append(text[:MAX_CHARS])

    def describe_failures(self) -> str:
        rest = self.failed - len(self.failures)
        return "; ".join(self.failures) + (gettext(" and %(rest)s more") % {"rest": f"{rest:,}"} if rest > 0 else "")

    def describe_others(self) -> str:
        return "; ".join(self.others) + (gettext(" and others") if len(self.others) == MAX_NAMED else "")

    @property
    def is_complete(self) -> bool:
        """Whether every row has a result. False if other users changed some of them meanwhile."""
        return self.done + self.failed + self.other >= self.total


def _number(form: QueryDict, name: str) -> int:
    text = form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
