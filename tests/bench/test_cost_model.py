"""The cost model: its constants come from the tables, and more connections never take less."""

import math

import pytest

from bench.cost_model import Constants, constants, processes_for, scenario_lines
from bench.stats import Row, Table

KNOWN = Constants(
    delivery_us=5,
    message_us=30,
    post_us=300,
    connection_us=800,
    connection_kib=20,
    redis_message_us=4,
    redis_delivery_us=2,
)


def test_the_cost_in_redis_is_split_into_message_and_delivery() -> None:
    rows = [Row("1x1", "", {"redis_us": [5.0]}), Row("3x1", "", {"redis_us": [9.0]})]
    known = constants({"processes": Table("processes", "", "", rows)})
    assert (known.redis_message_us, known.redis_delivery_us) == (3.0, 2.0)
    assert math.isnan(known.delivery_us)


def test_the_processes_carry_the_load_with_room_to_spare() -> None:
    processes, load = processes_for(KNOWN, 100_000)
    cpu_us = load["posts"] * (300 + load["reached"] * 30) + load["deliveries"] * 5
    assert cpu_us / processes <= 0.6e6
    assert load["posts"] == pytest.approx(1666.7, rel=0.001)
    assert load["reached"] <= processes


def test_more_connections_take_more_of_everything() -> None:
    sizes = (1_000, 10_000, 100_000, 1_000_000)
    needed = [processes_for(KNOWN, size)[0] for size in sizes]
    assert needed == sorted(needed)
    assert needed[0] == 1
    assert len(scenario_lines(KNOWN, sizes)) == len(sizes)
