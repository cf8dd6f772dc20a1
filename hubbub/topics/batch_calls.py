"""Runs the calls of a batch in one transaction. Synchronous; for threads, views and scripts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connections, transaction

from hubbub import threads
from hubbub.auth.identity import Identity
from hubbub.protocol import ErrorCode, Refused
from hubbub.topics import access, marks
from hubbub.topics.commands import Access, CommandSpec
from hubbub.topics.frames import result_json
from hubbub.topics.interface import LiveTopic

logger = logging.getLogger(__name__)

LOCK_NOT_AVAILABLE = "55P03"
# Deadlock and serialization failure: the transaction may be run again.
RETRIED = {"40P01", "40001"}
LOCKED_RETRY_MS = 1000  # A call for a topic that another transaction keeps locked is to be sent again after this.


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command with a batch.

    Attributes:
        topic: of the call; `call.topic.key` is its key.
        user_id: of the user.
        identity: the session or token that the call came by; None: it came from Python.
        arguments: the struct of the declaration.
        user: the row of the user; None with `permission=BY_METHOD`, whose method reads and checks it. Given by trusted
            code: no permission is checked.
    """

    topic: Any
    user_id: str
    identity: Identity | None
    arguments: Any
    user: Any = None


def run_uncancelled(spec: CommandSpec, calls: Sequence[tuple[Call, Callable[[], bool]]]) -> list[Any]:
    """As `run`, without the calls that were cancelled before.

    Args:
        calls: each with a function that returns whether the call is cancelled; called in this thread.
    """
    waiting = [number for number, (_, is_cancelled) in enumerate(calls) if not is_cancelled()]
    results = dict(zip(waiting, run(spec, [calls[number][0] for number in waiting]), strict=True))
    return [results[number] if number in results else threads.refused_unavailable() for number in range(len(calls))]


def run(spec: CommandSpec, calls: Sequence[Call]) -> list[Any]:
    """Run calls of topics of one class in one transaction, once more after a deadlock.

    A call that fails does not fail its neighbours: after an unexpected error each call is run alone, and while the rows
    of a topic are locked the calls of other topics are run.

    Returns:
        For each call the encoded result, None for no result, or Refused.

    Raises:
        OperationalError, InterfaceError: the database is away or locked; running calls alone would only repeat that.
        Exception: any other error, also Refused, for a single call.
    """
    if not calls:
        return []
    is_outermost = not connections[calls[0].topic.database].in_atomic_block
    try:
        return _run(spec, calls)
    except OperationalError as error:
        if not is_outermost or _sqlstate(error) not in RETRIED:
            raise
        logger.info("command %s: deadlock in a batch of %d calls, run again", spec.name, len(calls))
    return _run(spec, calls)


def _run(spec: CommandSpec, calls: Sequence[Call]) -> list[Any]:
    try:
        return _run_together(spec, calls)
    except (OperationalError, InterfaceError) as error:
        if not is_lock_timeout(error) or len({call.topic.address for call in calls}) == 1:
            raise
        return _run_by_topic(spec, calls)
    except Refused:  # For one call, such as a result that is too long. The transaction is rolled back.
        if len(calls) == 1:
            raise
    except Exception:
        if len(calls) == 1:
            raise
        logger.exception("command %s: batch of %d calls failed, running each alone", spec.name, len(calls))
    return _run_each_alone(spec, calls)


def is_lock_timeout(error: BaseException) -> bool:
    """True for PostgreSQL's lock timeout. SQLite has one lock for the whole database."""
    return _sqlstate(error) == LOCK_NOT_AVAILABLE


def _sqlstate(error: BaseException) -> str | None:
    """Of PostgreSQL, see its appendix A."""
    return getattr(error.__cause__, "sqlstate", None)


def _run_together(spec: CommandSpec, calls: Sequence[Call], *, shorten: bool = False) -> list[Any]:
    first: LiveTopic = calls[0].topic
    with transaction.atomic(using=first.database), marks.collected(first.database):
        if shorten:
            _shorten_lock_timeout(first.database)
        checked = [_checked(spec, call) for call in calls]
        allowed = [call for call in checked if isinstance(call, Call)]
        answers = [*spec.method(type(first), allowed)] if allowed else []
        if len(answers) != len(allowed):
            raise TypeError(f"{spec.name}: {len(answers)} results for {len(allowed)} calls")
        remaining = iter(answers)
        results = [next(remaining) if isinstance(call, Call) else call for call in checked]
        # Before the commit: a result that cannot be sent has no effect.
        return [_encoded(spec, result) for result in results]


def _checked(spec: CommandSpec, call: Call) -> Call | Refused:
    if spec.permission is Access.BY_METHOD or call.user is not None:
        return call if call.user_id else access.forbidden_command(spec)  # An anonymous visitor has no row.
    try:
        user = access.current_user(call.user_id, call.identity)
        access.check_command(call.topic, spec, user)
    except Refused as refused:
        return refused
    return replace(call, user=user)


def _encoded(spec: CommandSpec, result: Any) -> Any:
    return result if result is None or isinstance(result, Refused) else msgspec.Raw(result_json(spec.name, result))


def _run_by_topic(spec: CommandSpec, calls: Sequence[Call]) -> list[Any]:
    """One transaction for each topic, after a lock timeout: only the calls of the locked topic are refused."""
    results: dict[int, Any] = {}
    for address in dict.fromkeys(call.topic.address for call in calls):
        numbers = [number for number, call in enumerate(calls) if call.topic.address == address]
        try:
            answers = _run_together(spec, [calls[number] for number in numbers], shorten=True)
        except (OperationalError, InterfaceError) as error:
            if not is_lock_timeout(error):
                raise
            refused = Refused(ErrorCode.UNAVAILABLE, f"{address} is locked; try again", retry_after_ms=LOCKED_RETRY_MS)
            answers = [refused] * len(numbers)
        results |= zip(numbers, answers, strict=True)
    return [results[number] for number in range(len(calls))]


def _run_each_alone(spec: CommandSpec, calls: Sequence[Call]) -> list[Any]:
    results: list[Any] = []
    for call in calls:
        try:
            results += run(spec, [call])
        except Refused as refused:
            results.append(refused)
        except DatabaseError as error:
            logger.warning(
                "command %s: call for %s by user %s failed: %r", spec.name, call.topic.address, call.user_id, error
            )
            results.append(Refused(ErrorCode.UNAVAILABLE, "the change could not be saved; try again"))
            if isinstance(error, OperationalError | InterfaceError):
                return results + results[-1:] * (len(calls) - len(results))
        except Exception:
            logger.exception("command %s: call for %s by user %s failed", spec.name, call.topic.address, call.user_id)
            results.append(Refused(ErrorCode.INTERNAL, "internal error; it was logged"))
    return results


def _shorten_lock_timeout(database: str) -> None:
    """Set a lock timeout of 100 ms for this transaction: the full timeout was waited for before."""
    if connections[database].vendor == "postgresql":
        with connections[database].cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '100ms'")
