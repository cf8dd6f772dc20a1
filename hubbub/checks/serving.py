"""System checks of the server: its version, limits, folders and address."""

import ipaddress
import re
import resource
import stat
from importlib import metadata
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from hubbub import conf
from hubbub.process.descriptors import required_descriptors
from hubbub.process.importing import CannotImport, application_for_a_check
from hubbub.process.refusals import BadDeclaration, CannotServe

MIN_DAPHNE = (4, 2)  # hubbub.server relies on internals of this version and later.


@register("hubbub")
def check_daphne(**_: Any) -> list[CheckMessage]:
    try:
        version = metadata.version("daphne")
    except metadata.PackageNotFoundError:
        return []  # Another ASGI server.
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) >= MIN_DAPHNE:
        return []
    return [
        Error(
            f"daphne {version} is too old for hubbub.server: it needs {'.'.join(map(str, MIN_DAPHNE))} or later.",
            hint="Install the version in requirements.txt.",
            id="hubbub.E002",
        )
    ]


@register("hubbub")
def check_descriptors(**_: Any) -> list[CheckMessage]:
    """The server raises the soft limit itself; the hard limit is set by its environment."""
    tunables = conf.settings.usable()
    wanted = required_descriptors(sockets=tunables.max_sockets, connections=tunables.max_connections)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return []
    return [
        Warning(
            f"The limit of {hard} file descriptors is too low: the configured connections need {wanted}.",
            hint="New connections wait at the limit. Raise it (ulimit -Hn, LimitNOFILE), or lower "
            'HUBBUB["MAX_SOCKETS"] and HUBBUB["MAX_CONNECTIONS"].',
            id="hubbub.W006",
        )
    ]


@register("hubbub")
def check_data_folder(**_: Any) -> list[CheckMessage]:
    folder = conf.settings.usable().var_dir
    try:
        mode = stat.S_IMODE(folder.stat().st_mode) if folder else 0
    except OSError:
        return []  # Not created yet: it is created for its owner only.
    if not mode & 0o077:
        return []
    return [
        Warning(
            f"The data folder {folder} is accessible to other users of this machine (mode {mode:03o}).",
            hint=f"It contains the database, the secret key and the sockets. Run: chmod -R go= {folder}",
            id="hubbub.W008",
        )
    ]


@register("hubbub")
def check_serving(**_: Any) -> list[CheckMessage]:
    """Settings that `up` and `runserver` need, and other ASGI servers do not."""
    found: list[CheckMessage] = []
    if conf.settings.usable().var_dir is None:
        line = 'Neither HUBBUB["VAR_DIR"] nor BASE_DIR is set: `up` and `runserver` refuse to start.'
        hint = "Set BASE_DIR, or a folder for sockets and the lock of a run: HUBBUB = {'VAR_DIR': '/var/lib/mysite'}."
        found.append(Warning(line, hint=hint, id="hubbub.W010"))
    if not getattr(settings, "ASGI_APPLICATION", None):
        hint = "Set the application that routes sockets: ASGI_APPLICATION = 'mysite.asgi.application'."
        found.append(
            Warning("ASGI_APPLICATION is not set: `up` and `runserver` refuse to start.", hint=hint, id="hubbub.W011")
        )
    return found


def application_refusal() -> str:
    """Return the line for an ASGI_APPLICATION that cannot be imported; empty if it can."""
    try:
        application_for_a_check()
    except (BadDeclaration, CannotImport, CannotServe) as error:
        return str(error)
    return ""


def check_address(host: str) -> list[CheckMessage]:
    """Check the address that a command is about to listen on: no setting has it, so `check` cannot."""
    if not settings.DEBUG or not is_public(host):
        return []
    return [
        Warning(
            f"DEBUG is on, and {host} is reachable from other hosts.",
            hint="Error pages show settings and code to every visitor. Unset DEBUG, or listen on 127.0.0.1.",
            id="hubbub.W004",
        )
    ]


def is_public(host: str) -> bool:
    """Whether other machines may reach the address or host name."""
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")
