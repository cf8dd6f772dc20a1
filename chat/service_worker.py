"""What makes the chat installable: its manifest, its service worker, and the page that is shown without a network.

All three are the same for every visitor, and need no session.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import condition, require_safe

import hubbub
from chat import conf

NAME = "Hubbub"
# The colours of a page, `--paper` in tokens.css; hubbub/base.html has them as well.
PAPER = "#f9fafc"
# Of scripts/icons.py. A mask may cut 40 % of the maskable one, from its edges.
ICONS = (("icon-192.png", 192, "any"), ("icon-512.png", 512, "any"), ("icon-maskable-512.png", 512, "maskable"))
SCRIPT = (Path(__file__).parent / "static" / "chat" / "js" / "service-worker.js").read_text(encoding="utf-8")
ADDRESS = re.compile(r"""(?:href|src)="(/[^"/][^"]*)\"""")


@login_not_required
@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    root = reverse("chat:lobby")
    icons = [
        {"src": static(f"hubbub/img/{name}"), "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
        for name, side, purpose in ICONS
    ]
    content = {
        "id": root,
        "name": NAME,
        "short_name": NAME,
        "start_url": root,
        "scope": root,
        "display": "standalone",
        "background_color": PAPER,
        "theme_color": PAPER,
        "icons": icons,
    }
    headers = {"Cache-Control": "max-age=3600, public"}
    return JsonResponse(content, content_type="application/manifest+json", headers=headers)


@login_not_required
@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """The page without a network. It is made without the request: only its language is the reader's."""
    return HttpResponse(render_to_string("chat/offline.html"), headers={"Cache-Control": "no-cache"})


def _script(request: HttpRequest) -> bytes:
    """The script with its settings, such as `{"isOn": false}`."""
    site: dict[str, Any] = {"isOn": conf.settings().service_worker, "scope": reverse("chat:lobby"), "files": []}
    site |= {"statics": settings.STATIC_URL, "offline": reverse("chat:offline"), "version": ""}
    if site["isOn"]:
        page = render_to_string("chat/offline.html")
        site["files"] = sorted({path for path in ADDRESS.findall(page) if path.startswith(site["statics"])})
        release = getattr(staticfiles_storage, "manifest_hash", "") or hubbub.__version__
        site["version"] = hashlib.sha256(f"{release} {page} {SCRIPT}".encode()).hexdigest()[:12]
    return b"self.SITE = " + JsonResponse(site).content + b";\n" + SCRIPT.encode()


def _etag(request: HttpRequest) -> str:
    return f'"{hashlib.sha256(_script(request)).hexdigest()[:32]}"'


@login_not_required
@require_safe
@condition(etag_func=_etag)
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script, with a version of its own for each release. Its path is the widest scope that it may have."""
    headers = {"Cache-Control": "no-cache"}
    return HttpResponse(_script(request), content_type="text/javascript; charset=utf-8", headers=headers)
