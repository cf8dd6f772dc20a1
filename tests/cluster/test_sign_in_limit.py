"""Guessing a password on all processes at once: the tries are counted together."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.support.browsing import UnixConnection
from tests.support.cluster import Cluster, until

pytestmark = pytest.mark.cluster

PASSWORD = "correct horse 7"


def sign_in(process: Path, name: str, password: str, known: str = "") -> tuple[int, str]:
    """The status, and the cookie by which this browser is known from then on."""
    connection = UnixConnection(process)
    connection.request("GET", "/account/sign-in/")
    page = connection.getresponse()
    cookie = (page.getheader("Set-Cookie") or "").split(";")[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token
    fields = urlencode({"csrfmiddlewaretoken": token[1], "username": name, "password": password})
    headers = {"Cookie": f"{cookie}; {known}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/account/sign-in/", fields, headers)
    answer = connection.getresponse()
    cookies = [header.split(";")[0] for header in answer.headers.get_all("Set-Cookie") or []]
    connection.close()
    return answer.status, next((cookie for cookie in cookies if cookie.startswith("known_browser=")), "")


async def test_guessing_on_two_processes_gives_no_more_tries(cluster: Cluster) -> None:
    name = f"victim-{uuid4().hex[:8]}"
    code = f"of().objects.create_user({name!r}, password={PASSWORD!r})"
    await asyncio.to_thread(cluster.shell, f"from django.contrib.auth import get_user_model as of; {code}")
    processes = list(cluster.sockets.values())
    assert len(processes) == 2
    status, known = await asyncio.to_thread(sign_in, processes[0], name, PASSWORD)
    assert status == 302
    assert known
    guesses = [asyncio.to_thread(sign_in, processes[number % 2], name, f"guess {number}") for number in range(14)]
    answers = [status for status, _ in await asyncio.gather(*guesses)]
    assert sorted(answers) == [200] * 10 + [429] * 4
    for process in processes:
        assert await asyncio.to_thread(sign_in, process, name, PASSWORD) == (429, "")
        # The browser that has signed in before is free, on both.
        assert (await asyncio.to_thread(sign_in, process, name, PASSWORD, known))[0] == 302
    # Each answer comes before its line has gone through two pipes.
    await until(lambda: cluster.text.count("sign_in_limited address=- user=") >= 6)
    assert cluster.text.count("sign_in_failed address=- user=") == 10
    assert cluster.text.count("sign_in_limited address=- user=") == 6
