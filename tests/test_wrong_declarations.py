"""Each wrong setting or declaration of a site is one line that names it, and never a traceback."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.small_site import ASGI, REDIS, ROUTING, TOPIC, manage

pytestmark = pytest.mark.slow

LAYER = "hubbub.layer.RedisPubSubLayer"
HOSTS = (
    "the option `hosts` is a list of URLs such as 'redis://localhost', of (host, port), or of dictionaries with an "
    "address"
)
SIGN_IN = "from hubbub.auth import Authenticator\nclass SignIn(Authenticator):\n    def from_token(self, token): ...\n"
AUTHENTICATE = "HUBBUB[\"AUTHENTICATE\"]='shop.sign.SignIn'"
APPLICATION = "ASGI_APPLICATION='mysite.asgi.application'"
NUMBER = "a whole number from 1 to 1000000 is allowed"
URLS = "redis://…, rediss://… or unix://… is allowed"
NO_PATH = "is no dotted path, such as 'mysite.asgi.application'"
CONSUMER = f"{ROUTING}from hubbub import TopicConsumer\nclass Polls(TopicConsumer):\n"
TWIN = """
def make():
    class Bell(Topic, name="bell"):
        permission = SIGNED_IN
        def state(self): ...
    return Bell
"""


def case(name: str, found: str, line: str, **wrong: Any) -> Any:
    """A part of the site that is wrong, the id of the check that finds it, and its line."""
    settings = {key: value for key, value in wrong.items() if key.isupper()}
    return pytest.param(settings, wrong.get("files", {}), found, line, id=name)


def layer(name: str, line: str, backend: str = repr(LAYER), config: str = "{}") -> Any:
    value = f"{{'default': {{'BACKEND': {backend}, 'CONFIG': {config}}}}}"
    return case(name, "hubbub.E001", f'CHANNEL_LAYERS["default"]: {line}.', CHANNEL_LAYERS=value)


def sign_in(name: str, line: str, **files: str) -> Any:
    value = f"{{{REDIS}, 'AUTHENTICATE': 'shop.sign.SignIn'}}"
    return case(name, "hubbub.E021", f"{AUTHENTICATE}{line}.", HUBBUB=value, files={"shop/sign.py": "", **files})


def hubbub(name: str, value: str, line: str) -> Any:
    return case(name, "hubbub.E020", line, HUBBUB=f"{{{REDIS}, {value}}}")


def asgi(name: str, line: str, **files: str) -> Any:
    return case(name, "hubbub.E015", f"{APPLICATION}{line}.", files=files)


def application(name: str, value: str, line: str) -> Any:
    return case(name, "hubbub.E015", f"ASGI_APPLICATION={value}{line}", ASGI_APPLICATION=value)


@pytest.mark.parametrize(
    ("settings", "files", "found", "line"),
    [
        hubbub("unknown key", "'MAX_SOCKET': 1", 'HUBBUB["MAX_SOCKET"] is unknown: did you mean MAX_SOCKETS?'),
        hubbub("wrong type", "'MAX_SOCKETS': '9'", f"HUBBUB[\"MAX_SOCKETS\"]='9': {NUMBER}."),
        hubbub("out of bounds", "'MAX_SOCKETS': 0", f'HUBBUB["MAX_SOCKETS"]=0: {NUMBER}.'),
        hubbub("scheme", "'REDIS_URL': 'http://x'", f'HUBBUB["REDIS_URL"]: {URLS}.'),
        hubbub(
            "port of a password",
            "'REDIS_URL': 'redis://:pass/word@x'",
            'HUBBUB["REDIS_URL"] is no URL: percent-encode the special characters of its user and password.',
        ),
        hubbub(
            "scope of two words",
            "'TOKEN_SCOPES': {'a b': ''}",
            "HUBBUB[\"TOKEN_SCOPES\"]: 'a b' is no scope: up to 80 ASCII characters without a space.",
        ),
        hubbub(
            "program of a name of up",
            "'PROGRAMS': {'web-1': ['check']}",
            "HUBBUB[\"PROGRAMS\"]: 'web-1' is a name of `up` itself: rename the program.",
        ),
        case("no dictionary", "hubbub.E020", "HUBBUB=[1]: a dictionary of settings is allowed.", HUBBUB="[1]"),
        layer("no such backend", "BACKEND='a.b': there is no module 'a'", "'a.b'"),
        layer("backend that is no text", "BACKEND=5 is no dotted path", "5"),
        layer("config that is a list", "CONFIG is of type list, and no dictionary", config="[1]"),
        layer("config that is None", "CONFIG is of type NoneType, and no dictionary", config="None"),
        layer(
            "unknown option",
            "CONFIG has an unknown option 'capasity': known are capacity, hosts, on_disconnect, on_reconnect, prefix, "
            "serializer_format, symmetric_encryption_keys",
            config="{'capasity': 5}",
        ),
        layer("hosts that are a number", HOSTS, config="{'hosts': 5}"),
        layer("hosts that are one text", HOSTS, config="{'hosts': 'redis://localhost'}"),
        layer("host of another scheme", HOSTS, config="{'hosts': ['http://localhost']}"),
        layer("host without an address", HOSTS, config="{'hosts': [{'adress': 'redis://localhost'}]}"),
        sign_in("sign-in, no name", ": the module 'shop.sign' has no 'SignIn'"),
        sign_in(
            "sign-in that raises",
            " cannot be imported: ZeroDivisionError: division by zero (shop/sign.py, line 2)",
            **{"shop/sign.py": "\n1 / 0"},
        ),
        sign_in(
            "sign-in, a function",
            ": it is no subclass of hubbub.auth.Authenticator",
            **{"shop/sign.py": "def SignIn(scope): ..."},
        ),
        sign_in(
            "sign-in without its first half",
            ": it has neither from_request nor from_token",
            **{"shop/sign.py": SIGN_IN.replace("from_token(self, token)", "renew(self, credentials)")},
        ),
        sign_in(
            "sign-in without its second half",
            ": renew is no method with one argument: def renew(self, credentials)",
            **{"shop/sign.py": f"{SIGN_IN}    renew = None\n"},
        ),
        sign_in(
            "sign-in with arguments",
            ": it cannot be made without arguments: SignIn.__init__() missing 1 required positional argument: 'key'",
            **{"shop/sign.py": f"{SIGN_IN}    def __init__(self, key): ...\n"},
        ),
        application("no such module", "'mysite.asgy.application'", ": there is no module 'mysite.asgy'."),
        application("no such name", "'mysite.asgi.app'", ": the module 'mysite.asgi' has no 'app'."),
        application("no path", "'application'", f" {NO_PATH}."),
        application("a number", "5", f" {NO_PATH}."),
        asgi(
            "no application",
            " is NoneType, and no ASGI application",
            **{"mysite/asgi.py": f"{ASGI}application = None\n"},
        ),
        asgi(
            "import error",
            " cannot be imported: ModuleNotFoundError: No module named 'nothing_there' (mysite/asgi.py, line 12)",
            **{"mysite/asgi.py": f"{ASGI}import nothing_there\n"},
        ),
        asgi(
            "error in the routes",
            " cannot be imported: NameError: name 'missing' is not defined (shop/routing.py, line 7)",
            **{"shop/routing.py": f"{ROUTING}missing\n"},
        ),
        asgi(
            "syntax error",
            " cannot be imported: SyntaxError: invalid syntax (shop/routing.py, line 7)",
            **{"shop/routing.py": f"{ROUTING}x = = 1\n"},
        ),
        asgi(
            "before Django is set up",
            " cannot be imported: RuntimeError: set up later (mysite/asgi.py, line 1)",
            **{"mysite/asgi.py": "raise RuntimeError('set up\\nlater')"},
        ),
        asgi(
            "an exit",
            " cannot be imported: no KEY in the environment (mysite/asgi.py, line 1)",
            **{"mysite/asgi.py": "raise SystemExit('no KEY in the environment')"},
        ),
        asgi(
            "route without as_asgi",
            " cannot be imported: hubbub.asgi.application: routes: 'ws/polls/' leads to the class LiveConsumer: write "
            "LiveConsumer.as_asgi() (mysite/asgi.py, line 11)",
            **{"shop/routing.py": ROUTING.replace(".as_asgi()", "")},
        ),
        asgi(
            "two routes of one name",
            " cannot be imported: hubbub.asgi.application: routes: 'ws/polls/' and 'ws/2/' have the name 'polls': each "
            "has its own (mysite/asgi.py, line 11)",
            **{"shop/routing.py": f"{ROUTING}routes += [path('ws/2/', live(PollTopic).as_asgi(), name='polls')]"},
        ),
        case(
            "two topics of one name on an endpoint",
            "hubbub.E023",
            "LiveConsumer: two topics have the name 'bell': shop.routing.make.<locals>.Bell and "
            "shop.routing.make.<locals>.Bell; each topic has its own (shop.routing, line 13).",
            files={"shop/routing.py": f"{ROUTING}from hubbub import SIGNED_IN, Topic{TWIN}live(make(), make())\n"},
        ),
        case(
            "no topics",
            "hubbub.E023",
            "LiveConsumer: topics=(): an endpoint has at least one topic (shop.routing, line 6).",
            files={"shop/routing.py": ROUTING.replace("live(PollTopic)", "live()")},
        ),
        case(
            "topics that are no list",
            "hubbub.E023",
            "Polls: topics=<class 'shop.topics.PollTopic'>: a list of subclasses of Topic is allowed "
            "(shop.routing, line 8).",
            files={"shop/routing.py": f"{CONSUMER}    topics = PollTopic\n"},
        ),
        case(
            "permission of an endpoint",
            "hubbub.E023",
            "Polls: permission=5: an endpoint has 'app.codename', or None: any user (shop.routing, line 8).",
            files={"shop/routing.py": f"{CONSUMER}    permission = 5\n"},
        ),
        case(
            "consumers that cannot be imported",
            "hubbub.E024",
            "shop.consumers cannot be imported: NameError: name 'missing' is not defined (shop/consumers.py, line 1).",
            files={
                "shop/consumers.py": "missing",
                "shop/topics.py": TOPIC + TOPIC.replace("Poll", "Bell").replace("poll", "bell"),
            },
        ),
        case(
            "sessions",
            "hubbub.E003",
            "SESSION_ENGINE='shop.sessions': there is no module 'shop.sessions'.",
            SESSION_ENGINE="'shop.sessions'",
            MIDDLEWARE="[]",  # Else the application cannot be made either.
        ),
    ],
)
def test_check_has_one_line(
    tmp_path: Path, settings: dict[str, str], files: dict[str, str], found: str, line: str
) -> None:
    ran = manage(tmp_path, "check", settings=settings, files=files)
    assert ran.returncode == 1, ran.stderr
    lines = [text for text in ran.stderr.splitlines() if re.match(r"\S+: \(|Traceback", text)]
    assert lines == [f"?: ({found}) {line}"], ran.stderr


def test_the_site_itself_is_right(tmp_path: Path) -> None:
    ran = manage(tmp_path, "check")
    assert (ran.returncode, ran.stderr) == (0, "")
