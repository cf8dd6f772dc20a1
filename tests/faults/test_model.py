"""Random acts and faults in any order: in the end all clients have the messages of the database.

The rules are the possible acts and faults. The model is the committed log in the database.
"""

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chaos.checking import check, read_record
from chaos.log import Sent
from chaos.recording import Recorder
from tests.support.cluster import Cluster
from tests.support.redis_server import OwnRedis

pytestmark = pytest.mark.cluster

R = TypeVar("R")

PROCESSES = ("web-1", "web-2")
PEOPLE = 5
MAX_RUNS = 500
SETTLE_SECONDS = 30.0

# Shrinking would take hours, and what fails on real processes need not fail again.
REAL = settings(
    deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False
)


@dataclass
class World:
    """Shared by all runs: a start takes longer than a run."""

    cluster: Cluster
    redis: OwnRedis
    tokens: list[str]
    rooms: Iterator[int] = field(default_factory=lambda: iter(range(MAX_RUNS)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with OwnRedis(tmp_path_factory.mktemp("redis") / "redis.sock") as redis:
        redis.start()
        with Cluster(tmp_path_factory.mktemp("model"), processes=len(PROCESSES), REDIS_URL=redis.url) as cluster:
            tokens = cluster.shell(
                f"""
                from django.contrib.auth import get_user_model
                from chat import services
                from hubbub.auth.tokens import create_token
                for number in range({MAX_RUNS}):
                    services.create_room(slug=f"run-{{number}}", title="Model")
                for number in range({PEOPLE}):
                    user = get_user_model().objects.create_user(username=f"person-{{number}}")
                    print(create_token(user=user, name="test", expires_at=None)[1])
                """
            ).split()
            yield World(cluster, redis, tokens)


@dataclass(eq=False)
class Message:
    """A posted message; `posting` ends with its answer."""

    author: Recorder
    id: str
    posting: "asyncio.Task[Sent]"

    @property
    def seq(self) -> int | None:
        """Its number, once it is known."""
        return self.posting.result().ok["seq"] if self.posting.done() and self.posting.result().ok else None


class AnyOrder(RuleBasedStateMachine):
    people = Bundle("people")
    messages = Bundle("messages")

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.room = f"run-{next(world.rooms)}"
        self.tokens = iter(world.tokens)
        self.everybody: list[Recorder] = []
        self.commands: list[asyncio.Task[Sent]] = []
        self.redis_runs = True
        self.has_lost_a_process = False
        self.runner = asyncio.Runner()

    # Acts of users

    @initialize(target=people)
    def somebody_is_there_on_each_process(self) -> Any:
        return multiple(*(self.come(process) for process in PROCESSES))

    @rule(target=people, process=st.sampled_from(PROCESSES))
    @precondition(lambda self: len(self.everybody) < PEOPLE)
    def connect_and_join(self, process: str) -> Recorder:
        return self.come(process)

    @rule(target=messages, person=people)
    def post(self, person: Recorder) -> Message:
        id_ = str(uuid4())
        return Message(person, id_, self.begin(person.post(f"message {len(self.commands)}", id_)))

    @rule(target=messages, person=people, count=st.integers(2, 5))
    def post_many_at_once(self, person: Recorder, count: int) -> Any:
        return multiple(*(self.post(person) for _ in range(count)))

    @rule(message=messages)
    def post_again_with_the_same_id(self, message: Message) -> None:
        self.begin(message.author.post("another body", message.id))

    @rule(message=messages)
    def edit(self, message: Message) -> None:
        if message.seq is not None:
            self.begin(message.author.edit(message.seq, f"edit {len(self.commands)}"))

    @rule(message=messages)
    def delete(self, message: Message) -> None:
        if message.seq is not None:
            self.begin(message.author.delete(message.seq))

    @rule(seconds=st.sampled_from([0.02, 0.1, 0.5]))
    def time_passes(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    # Faults

    @rule(person=people)
    def cut_a_connection(self, person: Recorder) -> None:
        person.cut()

    @rule()
    def cut_all_connections(self) -> None:
        for person in self.everybody:
            person.cut()

    # One process at a time, once in a run: `up` waits ever longer with starting again what ends again and again.

    @rule(process=st.sampled_from(PROCESSES))
    @precondition(lambda self: not self.has_lost_a_process)
    def kill_a_process(self, process: str) -> None:
        self.signal(process, signal.SIGKILL)

    @rule(process=st.sampled_from(PROCESSES))
    @precondition(lambda self: not self.has_lost_a_process)
    def end_a_process(self, process: str) -> None:
        self.signal(process, signal.SIGTERM)

    @rule()
    @precondition(lambda self: not self.has_lost_a_process)
    def restart_all_processes_in_turn(self) -> None:
        self.has_lost_a_process = True
        if self.are_all_there:
            self.world.cluster.up.send_signal(signal.SIGHUP)

    @rule()
    @precondition(lambda self: self.redis_runs)
    def stop_redis(self) -> None:
        self.world.redis.stop()
        self.redis_runs = False

    @rule()
    @precondition(lambda self: not self.redis_runs)
    def start_redis(self) -> None:
        self.world.redis.start()
        self.redis_runs = True

    # Invariants

    @invariant()
    def nobody_has_been_told_anything_twice_or_out_of_order(self) -> None:
        assert [member.log.breaches + member.log.view.breaches for member in self.everybody] == [[]] * len(
            self.everybody
        )

    def teardown(self) -> None:
        """Restore all parts and wait; then every view must equal the database."""
        self.world.redis.start()
        try:
            self.run(self.settle())
        finally:
            self.run(self.go())
            self.runner.close()

    async def settle(self) -> None:
        async with asyncio.timeout(SETTLE_SECONDS):
            await asyncio.gather(*self.commands)
        record = await asyncio.to_thread(read_record, self.world.cluster.database_url, self.room)
        with suppress(TimeoutError):  # The report says more than the exception.
            async with asyncio.timeout(SETTLE_SECONDS):
                # All at one moment: a process that still ends sends away who was there already.
                while not all(member.has_reached(record.position) for member in self.everybody):
                    await asyncio.sleep(0.02)
        report = check(record, [member.log for member in self.everybody])
        assert report.is_consistent, str(report)
        self.nobody_has_been_told_anything_twice_or_out_of_order()

    async def go(self) -> None:
        for task in self.commands:
            task.cancel()
        await asyncio.gather(*self.commands, return_exceptions=True)
        for person in self.everybody:
            await person.__aexit__(None, None, None)

    # How

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(coroutine)

    def begin(self, command: Coroutine[Any, Any, Sent]) -> "asyncio.Task[Sent]":
        """Begin the post without waiting for its answer: the next fault may come first."""
        task = self.runner.get_loop().create_task(command)
        self.commands.append(task)
        self.run(asyncio.sleep(0.005))
        return task

    def come(self, process: str) -> Recorder:
        name = f"person-{len(self.everybody)}"
        addresses = self.world.cluster.addresses_of(process)
        person = Recorder(name, self.room, addresses, token=next(self.tokens))
        self.run(person.__aenter__())
        self.everybody.append(person)
        return person

    @property
    def are_all_there(self) -> bool:
        # No precondition: it is not the machine's own state, and would make what is drawn depend on time.
        return set(self.world.cluster.sockets) == set(PROCESSES)

    def signal(self, process: str, number: signal.Signals) -> None:
        self.has_lost_a_process = True
        pid = self.world.cluster.pid_of(process)
        if pid is not None and self.are_all_there:
            os.kill(pid, number)


def run(world: World, runs: int, steps: int, **more: Any) -> None:
    wanted = settings(REAL, max_examples=runs, stateful_step_count=steps, **more)
    run_state_machine_as_test(lambda: AnyOrder(world), settings=wanted)


def test_all_clients_have_the_messages_of_the_database(world: World) -> None:
    run(world, runs=12, steps=25, derandomize=True)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_everybody_has_what_the_database_has_after_hundreds_of_runs(world: World) -> None:
    run(world, runs=200, steps=50)
