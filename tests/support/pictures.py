"""Pictures as files, and their upload on the account page."""

import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from tests.support.account_page import ACCOUNT

RED, BLUE = (200, 20, 20), (20, 20, 200)


def file_of(image: Any, kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def plain(mode: str = "RGB", size: tuple[int, int] = (300, 200), color: Any = RED) -> Any:
    return Image.new(mode, size, color)


def upload(client: Client, data: bytes, name: str = "me.png", **more: str) -> Any:
    file = SimpleUploadedFile(name, data)
    return client.post(ACCOUNT, {"form": "profile", "shown_name": "", "shown_status": "", "picture": file, **more})


def error_of(answer: Any) -> str:
    assert answer.status_code == 200
    [error] = answer.context["profile_form"].errors["picture"]
    return str(error)
