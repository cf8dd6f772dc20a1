"""Texts for readers are marked for translation. Their form finds them: literals that no reader sees are listed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.messages import APPS
from tests.support import unmarked
from tests.support.servers import ROOT

READERS = {".py": unmarked.in_python, ".html": unmarked.in_template, ".js": unmarked.in_script}
# They speak to operators and developers, or are made.
NOT_FOR_READERS = {"vendor", "migrations", "texts", "management", "client", "supervisor", "checks", "conf", "conf.py"}
# Names, units and keywords, the same in all languages.
EVERYWHERE = {"Hubbub", "· Hubbub", "UTC", "GET", "POST", "SELECT", "INPUT", "HASH", "NFC", "NFKC", "NFKD"}
KEYS = {"F6", "Enter", "Escape", "Tab", "Home", "End", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"}
ALLOWED = {
    "chat/static/chat/js/composer-format.js": {"Shift"},
    "chat/static/chat/js/composer-toolbar.js": {"Control", "Meta"},
    "chat/static/chat/js/dialog-keys.js": {"Alt", "Ctrl", "Shift", "Esc", "Delete", *"BEIKLUX"},
    "chat/static/chat/js/dialog-link.js": {"example.org"},
    "chat/static/chat/js/message-body.js": {"P"},
    "chat/static/chat/js/outbox.js": {"hubbub posts … …"},
    "chat/static/chat/js/row-templates.js": {"message is-own ……"},
    "chat/templates/chat/composer_box.html": {"Aa"},
    "chat/templates/chat/room.html": {'class="is-room-page"'},
    "chat/templates/admin/chat/room/ban.html": {"app-chat model-room"},
    "hubbub/templates/admin/hubbub/progress.html": {"steps", "data-steps"},
    "hubbub/templates/admin/hubbub/action_base.html": {"app- model- delete-confirmation"},
    # Reasons and errors for developers: pages show the code.
    "hubbub/static/hubbub/js/shared-socket.js": {"Page hidden"},
    "hubbub/static/hubbub/js/shared-stream.js": {"Another user has signed in"},
    "hubbub/static/hubbub/js/shared-topic.js": {"Too many topics for one stream", "Topic refused"},
    "hubbub/static/hubbub/js/stream-socket.js": {"No answer", "Positions differ"},
    "hubbub/static/hubbub/js/stream-worker.js": {"No sign of life"},
    "hubbub/static/hubbub/js/socket.js": {
        *("Heartbeat timed out", "No hello", "Offline", "WebSockets get through"),
        "This is too long to be sent.",  # failure-texts.js knows it.
    },
    "hubbub/static/hubbub/js/trusted.js": {"… is no script of this site"},
    "hubbub/static/hubbub/js/errors.js": {"Refused", "Lost", "The connection was lost."},
    "monitor/static/monitor/js/units.js": {"B", "KiB", "MiB", "GiB", "TiB", "PiB"},
    "monitor/static/monitor/js/host-card.js": {"M", "L"},
}
# Names of scripts, as Unicode has them.
NO_TEXTS = {"chat/static/chat/js/hosts.js"}


def files() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*")):
            if path.suffix in READERS and not NOT_FOR_READERS & {*path.relative_to(ROOT).parts}:
                yield path


def unmarked_in(path: Path) -> set[str]:
    name = path.relative_to(ROOT).as_posix()
    if name in NO_TEXTS:
        return set()
    return {text for text in READERS[path.suffix](path) if text} - EVERYWHERE - KEYS - ALLOWED.get(name, set())


def test_every_text_that_a_reader_sees_is_marked() -> None:
    found = {path.relative_to(ROOT).as_posix(): texts for path in files() if (texts := unmarked_in(path))}
    assert found == {}


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        (
            "a.py",
            'raise ValidationError("Choose one.")\nclass A:\n    title = "state"\n'
            'messages.success(request, f"{n} saved")\nlabel = Field(label=_("Name"), help_text="Short.")\n'
            'logger.warning("room %s: not there", slug)\nformat_html("<b>{}</b> <i>until {}</i>", name, end)\n',
            {"Choose one.", "state", " saved", "Short.", "until {}"},
        ),
        (
            "a.html",
            '{% load i18n %}{# Not shown. #}<p title="Hint">{% translate "Rooms" %} <b>New</b></p>'
            '{% blocktranslate %}Marked{% endblocktranslate %}<input type="submit" value="Send">'
            '{{ name|default:"nobody" }}',
            {"Hint", "New", "Send", "nobody"},
        ),
        (
            "a.js",
            '// "Not code here."\nimport { a } from "./A b.js";\nconst words = ["Not sent", "is-main wide"];\n'
            'show(gettext("Marked text"), /["Never] mind"/, `${n} new messages`);\nthrow new Error("No such room");\n'
            'html`<b title="Hint">${has ? html`<i>Nested text</i>` : ""} Rest</b>`;\n',
            {"Not sent", "… new messages", "Hint", "Nested text", "… Rest"},
        ),
    ],
)
def test_a_text_that_is_not_marked_is_found(tmp_path: Path, name: str, source: str, found: set[str]) -> None:
    path = tmp_path / name
    path.write_text(source)
    assert {text for text in READERS[path.suffix](path) if text} == found
