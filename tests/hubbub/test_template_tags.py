"""`{% socket_path %}`: the address of a socket route, and the names that it refuses."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.urls import get_script_prefix, path, re_path, set_script_prefix

from hubbub import live
from hubbub.process import route_names as routes_module
from tests.support.polls.topics import PollTopic

POLLS = live(PollTopic).as_asgi()


@pytest.fixture(autouse=True)
def routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "_named", None)
    routes_module.remember(
        [
            path("ws/polls/", POLLS, name="polls"),
            path("ws/polls/<int:pk>/", POLLS, name="poll"),
            re_path("^ws/old/$", POLLS, name="old"),
        ]
    )


def rendered(name: str) -> str:
    return Template("{% load hubbub %}{% socket_path name %}").render(Context({"name": name}))


def test_the_path_of_a_route_is_found_by_its_name() -> None:
    assert rendered("polls") == "/ws/polls/"


def test_the_path_is_below_the_script_prefix() -> None:
    before = get_script_prefix()
    set_script_prefix("/team")
    try:
        assert rendered("polls") == "/team/ws/polls/"
    finally:
        set_script_prefix(before)


def test_an_unknown_name_is_refused_with_the_known_names() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        rendered("pols")
    text = "socket_path 'pols': no socket route has this name. Known names: 'old', 'poll', 'polls'."
    assert str(refused.value) == text


@pytest.mark.parametrize("name", ["poll", "old"])
def test_a_path_with_arguments_is_refused(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"\Asocket_path '{name}': the path '.*' takes arguments\.\Z"):
        rendered(name)


@pytest.mark.parametrize("login_url", ["chat:lobby", "/"])
def test_the_sign_in_page_is_found_by_name_or_path(settings: Any, login_url: str) -> None:
    settings.LOGIN_URL = login_url
    assert Template("{% load hubbub %}{% login_path %}").render(Context()) == "/"


def test_the_path_of_the_addresses_for_http_is_empty_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = Template("{% load hubbub %}{% live_path %}")
    monkeypatch.setattr(routes_module, "_live_path", "")
    assert tag.render(Context()) == ""
    routes_module.remember([], "live/")
    assert tag.render(Context()) == "/live/"


def look(**context: Any) -> str:
    choices = "{{ c.language }} {{ c.direction }} {{ c.theme }} {{ c.clock }} {{ c.color_scheme }}"
    return Template("{% load hubbub %}{% page_choices as c %}" + choices).render(Context(context))


def test_a_site_without_choices_has_the_looks_of_system_and_language(settings: Any) -> None:
    assert look() == look(user=object()) == "en ltr system language light dark"
    settings.USE_I18N, settings.LANGUAGE_CODE = False, "de"
    assert look() == "de ltr system language light dark"


def test_the_user_model_may_have_theme_and_clock() -> None:
    assert look(user=SimpleNamespace(theme="dark", clock="24")) == "en ltr dark 24 dark"
    assert look(user=SimpleNamespace(theme="pink", clock=7)) == "en ltr system language light dark"


def test_a_middleware_may_choose_for_visitors() -> None:
    request = SimpleNamespace(choices=SimpleNamespace(theme="light", clock="12"))
    assert look(user=SimpleNamespace(theme="dark"), request=request) == "en ltr light 12 light"
