"""`manage.py chaos` reports a wrong argument in one line, and starts nothing."""

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--minutes", "0"], "--minutes must be above 0 and at most 1440."),
        (["--minutes", "nan"], "--minutes must be above 0 and at most 1440."),
        (["--minutes", "1441"], "--minutes must be above 0 and at most 1440."),
        (["--minutes", "soon"], "Error: argument --minutes: invalid float value: 'soon'"),
        (["--processes", "0"], "--processes must be 1 to 16."),
        (["--processes", "17"], "--processes must be 1 to 16."),
        (["--seed=-1"], "--seed must be 0 to 4294967295."),
    ],
)
def test_a_bad_argument_is_one_clear_line(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError) as raised:
        call_command("chaos", *arguments)
    assert str(raised.value) == complaint
