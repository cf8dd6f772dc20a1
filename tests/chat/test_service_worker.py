"""The manifest, the service worker and the offline page: the same for everybody, below the chat's own root."""

import json
import math
import re
import struct
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse, set_script_prefix
from PIL import Image

from chat.service_worker import ICONS, PAPER
from scripts import icons
from tests.support.servers import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

NAMES = ("chat:manifest", "chat:service-worker", "chat:offline")
IMAGES = ROOT / "hubbub" / "static" / "hubbub" / "img"


def site_of(client: Client) -> dict[str, Any]:
    """The settings of the worker that the site serves."""
    response = client.get(reverse("chat:service-worker"))
    assert response.status_code == 200
    line, script = response.text.split("\n", 1)
    assert script == (ROOT / "chat/static/chat/js/service-worker.js").read_text()
    found: dict[str, Any] = json.loads(line.removeprefix("self.SITE = ").removesuffix(";"))
    return found


@pytest.fixture
def team() -> Any:
    """The site below a path."""
    set_script_prefix("/team/")
    yield
    set_script_prefix("/")


@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_same_for_everybody_and_set_no_cookie(client: Client, alice: Any, name: str) -> None:
    anonymous = client.get(reverse(name))
    client.force_login(alice)
    response = client.get(reverse(name))
    assert anonymous.status_code == response.status_code == 200
    assert anonymous.content == response.content
    assert "alice" not in response.text
    assert not response.cookies
    assert "no-store" not in response.headers["Cache-Control"]
    assert client.post(reverse(name)).status_code == 405


def test_they_need_no_session_where_all_other_pages_do(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert {client.get(reverse(name)).status_code for name in NAMES} == {200}


def test_the_manifest_names_the_chat_and_its_icons(client: Client) -> None:
    response = client.get(reverse("chat:manifest"))
    assert response.headers["Content-Type"] == "application/manifest+json"
    manifest = response.json()
    assert manifest["start_url"] == manifest["scope"] == manifest["id"] == "/"
    assert (manifest["name"], manifest["display"]) == ("Hubbub", "standalone")
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        ("192x192", "any"), ("512x512", "any"), ("512x512", "maskable"),
    }  # fmt: skip
    assert all(
        icon["src"] == f"/static/hubbub/img/{name}" for icon, (name, *_) in zip(manifest["icons"], ICONS, strict=True)
    )


def test_below_a_path_nothing_reaches_the_host_s_own_root(client: Client, team: None) -> None:
    manifest = client.get("/manifest.webmanifest", SCRIPT_NAME="/team").json()
    assert {manifest["start_url"], manifest["scope"], manifest["id"]} == {"/team/"}
    assert manifest["icons"][0]["src"].startswith("/team/static/")
    line = client.get("/service-worker.js", SCRIPT_NAME="/team").text.partition("\n")[0]
    assert '"scope": "/team/"' in line
    assert '"offline": "/team/offline/"' in line
    assert '"statics": "/team/static/"' in line
    page = client.get("/account/sign-in/", SCRIPT_NAME="/team").text
    assert 'href="/team/manifest.webmanifest"' in page
    assert 'data-service-worker="/team/service-worker.js"' in page


def test_the_worker_has_the_files_of_the_offline_page(client: Client) -> None:
    site = site_of(client)
    page = client.get(site["offline"]).text
    assert "/static/hubbub/css/tokens.css" in site["files"]
    assert "/static/chat/js/offline.js" in site["files"]
    for path in site["files"]:
        assert path in page
        assert (ROOT / path.split("/")[2] / path.lstrip("/")).is_file()
    assert 'href=""' in page  # "Try again" is a link: it works without the script.


def test_each_release_has_a_worker_of_its_own(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site_of(client)["version"]
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert site_of(client)["version"] == first
    monkeypatch.setattr("hubbub.__version__", "99.0")
    newer = site_of(client)["version"]
    monkeypatch.setattr("django.contrib.staticfiles.storage.staticfiles_storage.manifest_hash", "abc", raising=False)
    assert len({first, newer, site_of(client)["version"]}) == 3


def test_a_browser_asks_whether_the_worker_has_changed(client: Client) -> None:
    response = client.get(reverse("chat:service-worker"))
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert response.headers["Cache-Control"] == "no-cache"
    same = client.get(reverse("chat:service-worker"), headers={"If-None-Match": response.headers["ETag"]})
    assert same.status_code == 304


def test_switched_off_no_page_registers_it_and_it_ends_itself(client: Client, settings: Any) -> None:
    assert "data-service-worker" in client.get(reverse("sign-in")).text
    settings.CHAT = settings.CHAT | {"SERVICE_WORKER": False}
    page = client.get(reverse("sign-in")).text
    assert "data-service-worker" not in page
    assert 'rel="manifest"' in page
    assert site_of(client)["isOn"] is False


def test_pages_have_the_colours_of_their_background(client: Client) -> None:
    tokens = (ROOT / "hubbub/static/hubbub/css/tokens.css").read_text()
    papers = re.findall(r"oklch\([\d. ]+\)", "".join(re.findall(r"--paper: (.*);", tokens)))
    page = client.get(reverse("sign-in")).text
    named = re.findall(r'name="theme-color" content="(#\w{6})" media="\(prefers-color-scheme: (\w+)\)"', page)
    assert [scheme for _, scheme in named] == ["light", "dark"]
    assert [colour for colour, _ in named] == [in_hex(paper) for paper in papers]
    assert in_hex(papers[0]) == PAPER == icons.PAPER


def in_hex(colour: str) -> str:
    """An oklch colour as sRGB, by the matrices of CSS Color 4."""
    light, chroma, hue = (float(part) for part in colour[6:-1].split())
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    lms = [
        (light + of_a * a + of_b * b) ** 3
        for of_a, of_b in ((0.3963377774, 0.2158037573), (-0.1055613458, -0.0638541728), (-0.0894841775, -1.2914855480))
    ]
    weights = (
        (4.0767416621, -3.3077115913, 0.2309699292),
        (-1.2684380046, 2.6097574011, -0.3413193965),
        (-0.0041960863, -0.7034186147, 1.7076147010),
    )
    linear = [sum(map(float.__mul__, row, lms)) for row in weights]
    gamma = (12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055 for part in linear)
    return "#" + "".join(f"{round(255 * part):02x}" for part in gamma)


@pytest.mark.parametrize("name", icons.ICONS)
def test_the_icons_are_those_that_the_script_makes(name: str) -> None:
    stored = (IMAGES / name).read_bytes()
    side = icons.ICONS[name][0]
    assert struct.unpack(">II", stored[16:24]) == (side, side)
    made = Image.open(BytesIO(icons.png(name))).convert("RGBA")
    assert Image.open(BytesIO(stored)).convert("RGBA").tobytes() == made.tobytes()


def test_a_launcher_may_cut_the_maskable_icon_to_a_circle() -> None:
    icon = Image.open(IMAGES / "icon-maskable-512.png").convert("RGB")
    paper = tuple(bytes.fromhex(PAPER[1:]))
    middle, radius = 256, 0.4 * 512
    pixels = icon.load()
    assert pixels is not None
    outside = {
        pixels[x, y] for x in range(512) for y in range(512) if (x - middle) ** 2 + (y - middle) ** 2 > radius**2
    }
    assert outside == {paper}


def test_every_page_of_the_site_can_be_installed(client: Client, root: Any, lounge: Any) -> None:
    client.force_login(root)
    for address in ("/", "/rooms/lounge/", "/monitor/", "/account/", "/nothing/"):
        page = client.get(address).text
        assert page.count('rel="manifest"') == page.count("apple-touch-icon") == 1, address
    assert "manifest" not in client.get("/admin/").text
