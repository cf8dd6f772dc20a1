"""Runs the commands of topics, each in one transaction with its checks. Synchronous; for threads, views and scripts."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from django.db import OperationalError, connections, transaction

from hubbub import users
from hubbub.auth.identity import Identity
from hubbub.process import primary_reads
from hubbub.protocol import ErrorCode, Malformed, Person, Refused, from_json
from hubbub.queries import read_users
from hubbub.topics import access, batch_calls, marks, once
from hubbub.topics.commands import ClientId, CommandSpec
from hubbub.topics.frames import result_json
from hubbub.topics.interface import LiveTopic

logger = logging.getLogger(__name__)


def run_from_wire(
    topic: LiveTopic, spec: CommandSpec, arguments: msgspec.Struct, identity: Identity
) -> msgspec.Raw | None:
    """Run a command of a client.

    Args:
        topic: of the command.
        spec: of the command.
        arguments: its decoded frame, `spec.arguments`.
        identity: of the socket; checked again in the transaction.

    Returns:
        The JSON of what the method returned, encoded in the transaction; None: it returned None.

    Raises:
        Refused: by the checks or by the method; `too_long`: the result does not fit into a frame.
    """
    named = {name: getattr(arguments, name) for name in spec.argument_names}
    client_id = getattr(arguments, "id", None)
    result: msgspec.Raw | None = _run(topic, spec, identity.user_id, identity, named, client_id, is_from_wire=True)
    return result


def run_from_python(
    topic: LiveTopic, spec: CommandSpec, user: Any, positional: tuple[Any, ...], named: Mapping[str, Any]
) -> Any:
    """Run a command for a user from Django code, with the same checks unless the topic is `unchecked()`.

    Raises:
        TypeError: wrong arguments.
        Refused: as on the wire; `invalid`, naming the argument, for one of a wrong type, and for a wrong `id`.
    """
    if spec.batch:
        return _run_alone(topic, spec, user, positional, named)
    named = dict(named)
    client_id = _checked_id(named.pop("id", None)) if spec.once else None
    given: dict[str, Any] = inspect.signature(spec.method).bind(topic, user, *positional, **named).arguments
    given = {name: given[name] for name in spec.argument_names if name in given}
    if topic._is_checked:
        given = _converted(topic, spec, given)
    user_id, identity = access.caller_from_python(topic, user)
    with primary_reads.reading():
        result = _run(topic, spec, user_id, identity, given, client_id, user=None if topic._is_checked else user)
    # With an id: the answer as it is kept, the same at each call.
    return from_json(result) if isinstance(result, msgspec.Raw) else result


def _run_alone(
    topic: LiveTopic, spec: CommandSpec, user: Any, positional: tuple[Any, ...], named: Mapping[str, Any]
) -> Any:
    """Run a call of a command with a batch from Django code. Its arguments are the fields of the struct."""
    assert spec.struct is not None
    given = inspect.signature(spec.struct).bind(*positional, **named).arguments
    user_id, identity = access.caller_from_python(topic, user)
    try:
        arguments = msgspec.convert({"type": spec.name, "ref": 0, "topic": topic.address, **given}, spec.arguments)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from None
    call = batch_calls.Call(topic, user_id, identity, arguments, None if topic._is_checked else user)
    with primary_reads.reading():
        [result] = batch_calls.run(spec, [call])
    if isinstance(result, Refused):
        raise result
    return None if result is None else from_json(result)


def run_hook(topic: LiveTopic, name: str, identity: Identity, on_call: Callable[[], None]) -> None:
    """Call `on_join` or `on_leave` in a transaction. An account that was deleted meanwhile has no hook.

    Args:
        topic: of the hook.
        name: of the method.
        identity: of the socket.
        on_call: called right before the method; not if the database is away.
    """
    key = users.key_of(identity.user_id)
    if (user := read_users([key]).get(key)) is None:
        return

    def attempt() -> None:
        on_call()
        getattr(topic, name)(user)

    _in_transaction(topic, attempt)


def _checked_id(client_id: Any) -> str | None:
    try:
        return msgspec.convert(client_id, ClientId | None)
    except msgspec.ValidationError:
        problem = f"id={client_id!r:.100}: an id is text of 1 to 64 characters, without NUL and lone surrogates"
        raise Refused(ErrorCode.INVALID, problem) from None


def _converted(topic: LiveTopic, spec: CommandSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    frame = {"type": spec.name, "ref": 0, "topic": topic.address, **({"id": "0"} if spec.once else {}), **given}
    try:
        arguments = msgspec.convert(frame, spec.arguments)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from None
    return {name: getattr(arguments, name) for name in spec.argument_names}


def _run(
    topic: LiveTopic,
    spec: CommandSpec,
    user_id: str,
    identity: Identity | None,
    named: Mapping[str, Any],
    client_id: str | None,
    user: Any = None,
    is_from_wire: bool = False,
) -> Any:
    """Run it, once more after a deadlock. `user`: of trusted code; None: read and check.

    Returns:
        The JSON of the result for a client and for a `client_id`, else the result.
    """

    def attempt() -> Any:
        caller = user
        if caller is None:
            caller = access.current_user(user_id, identity)
            access.check_command(topic, spec, caller)
        if spec.told:
            return spec.method(topic, Person(user_id or None, users.name_of(caller), users.picture_of(caller)), **named)
        if client_id is not None:
            return once.run(topic, spec, user_id, client_id, named, lambda: spec.method(topic, caller, **named))
        result = spec.method(topic, caller, **named)
        return result if not is_from_wire or result is None else msgspec.Raw(result_json(spec.name, result))

    if not spec.is_write:
        return attempt()
    is_outermost = not connections[topic.database].in_atomic_block
    try:
        return _in_transaction(topic, attempt)
    except OperationalError as error:
        if not is_outermost or getattr(error.__cause__, "sqlstate", None) not in batch_calls.RETRIED:
            raise
        logger.info("command %s: deadlock on %s, run again", spec.name, topic.address)
    return _in_transaction(topic, attempt)


def _in_transaction(topic: LiveTopic, attempt: Any) -> Any:
    with transaction.atomic(using=topic.database), marks.collected(topic.database):
        return attempt()
