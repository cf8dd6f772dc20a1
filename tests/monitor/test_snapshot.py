from datetime import UTC, datetime

from monitor.snapshot import FORGET_SECONDS, make_sample

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp()


def sample(*readings):
    return make_sample(readings, epoch=5, seq=7, at=AT, stale_seconds=7)


def test_hosts_and_processes_stand_in_a_fixed_order(make_host, make_process):
    made = sample((make_host("beta"), 0), (make_process("beta:web-1:1"), 0), (make_host("alpha"), 0))
    assert [host.name for host in made.hosts] == ["alpha", "beta"]
    assert [process.id for process in made.processes] == ["beta:web-1:1"]
    assert (made.epoch, made.seq, made.at) == (5, 7, datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_a_reading_is_fresh_up_to_the_limit_and_stale_above(make_host):
    made = sample((make_host("alpha"), 7.0), (make_host("beta"), 8.0))
    assert [host.stale_since for host in made.hosts] == [None, datetime(2026, 3, 1, 11, 59, 52, tzinfo=UTC)]


def test_hosts_that_are_gone_for_long_are_left_out(make_host, make_process):
    made = sample((make_host(), 7 + FORGET_SECONDS + 1), (make_process(), 7 + FORGET_SECONDS + 1))
    assert made.hosts == made.processes == ()


def test_a_dead_process_gives_way_to_the_one_that_took_its_place(make_process):
    dead, reborn = make_process("alpha:web-1:100"), make_process("alpha:web-1:200")
    assert [process.id for process in sample((dead, 20), (reborn, 0)).processes] == ["alpha:web-1:200"]


def test_a_dead_process_without_a_replacement_is_shown_as_stale(make_process):
    dead, other, elsewhere = (make_process(id) for id in ("alpha:web-1:1", "alpha:web-2:2", "beta:web-1:3"))
    processes = sample((dead, 20), (other, 0), (elsewhere, 0)).processes
    assert [(process.id, process.stale_since is not None) for process in processes] == [
        ("alpha:web-1:1", True),
        ("alpha:web-2:2", False),
        ("beta:web-1:3", False),
    ]


def test_times_are_whole_milliseconds():
    made = make_sample((), epoch=1, seq=1, at=AT + 0.0024999, stale_seconds=7)
    assert made.at.microsecond == 2000
