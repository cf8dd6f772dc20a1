"""A browser on the pages of one process: keeps cookies, fills in forms and submits them."""

import asyncio
import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from tests.support.cluster import Cluster


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the UNIX socket of one process."""

    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@dataclass
class Form:
    """A form with the method POST. `values`: the data that a browser sends without any input."""

    action: str
    names: set[str] = field(default_factory=set)
    values: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form" and said.get("method") == "post":
            self._form = Form(said.get("action", ""))
            self.found.append(self._form)
        name = "" if "disabled" in said else said.get("name", "")
        if tag == "select":
            self._select = name
        if self._form is None:
            return
        if name:
            self._form.names.add(name)
        match tag, said.get("type"):
            case "input", "checkbox" | "radio" if name and "checked" in said:
                self._form.values.append((name, said.get("value", "on")))
            case "input", "checkbox" | "radio" | "submit":
                pass
            case "input", _ if name:
                self._form.values.append((name, said.get("value", "")))
            case "option", _ if self._select and "selected" in said:
                self._form.values.append((self._select, said.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


@dataclass
class Browser:
    """A browser with the cookies of one user."""

    process: Path
    cookies: dict[str, str]

    async def submit(self, page: str, changes: Mapping[str, str | None], *, action: str = "") -> float:
        """Open the page, fill in its form, submit it and confirm if asked.

        Args:
            changes: New values by field name; None unticks a box or clears a selection.
            action: The form's action; empty for the page itself.

        Returns:
            The monotonic time of the answer, in seconds.
        """
        return await asyncio.to_thread(self._submit, page, changes, action)

    def _submit(self, page: str, changes: Mapping[str, str | None], action: str) -> float:
        status, text = self._ask("GET", page)
        assert status == 200
        status, text = self._send(page, text, changes, action)
        if status == 200:
            status, text = self._send(page, text, {}, action)
        assert status == 302, text
        return time.monotonic()

    def _send(self, page: str, text: str, changes: Mapping[str, str | None], action: str) -> tuple[int, str]:
        (form,) = [candidate for candidate in Forms(text).found if candidate.action == action]
        assert changes.keys() <= form.names
        unchanged = [(name, value) for name, value in form.values if name not in changes]
        given = [(name, value) for name, value in changes.items() if value is not None]
        return self._ask("POST", action or page, urlencode(unchanged + given))

    def _ask(self, method: str, page: str, body: str | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = UnixConnection(self.process)
        try:
            connection.request(method, page, body, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or []:
                self.cookies |= {name: cookie.value for name, cookie in SimpleCookie(line).items()}
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def browser(cluster: Cluster, cookie: str) -> Browser:
    return Browser(cluster.sockets["web-1"], {"sessionid": cookie})
