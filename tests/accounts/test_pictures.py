"""Pictures of users: uploads of every kind, what is kept of them, and who may see them."""

import io
import random
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, features

from project.accounts import pictures
from project.accounts.hashing import Busy
from project.accounts.models import Picture, User
from tests.support.pictures import BLUE, RED, error_of, file_of, plain, upload

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


def animation(kind: str) -> bytes:
    return file_of(plain(), kind, save_all=True, append_images=[plain(color=BLUE)], duration=100)


def kept(user: User) -> Any:
    """The picture that is served, opened."""
    user.refresh_from_db()
    webp = bytes(Picture.objects.get(user=user).webp)
    assert len(webp) <= pictures.MAX_BYTES
    image = Image.open(io.BytesIO(webp))
    image.load()
    assert (image.format, image.size[0], getattr(image, "n_frames", 1)) == ("WEBP", image.size[1], 1)
    assert 128 <= image.width <= 192
    assert not {"exif", "xmp", "icc_profile", "comment"} & image.info.keys()
    assert not image.getexif()
    return image.convert("RGBA")


def is_near(pixel: Any, color: Any) -> bool:
    return all(abs(a - b) < 24 for a, b in zip(pixel, color, strict=False))


@pytest.fixture
def here(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def with_exif() -> bytes:
    """Lying on its side: red is at the left of the file, and at the top of the picture; with a place."""
    image = plain(size=(400, 200), color=BLUE)
    image.paste(RED, (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by 90 degrees clockwise.
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return file_of(image, "JPEG", exif=exif, comment=b"secret place", quality=95)


def noise(mode: str) -> Any:
    return Image.frombytes(mode, (256, 256), random.Random(7).randbytes(256 * 256 * len(mode)))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: file_of(plain()), id="png"),
        pytest.param(lambda: file_of(plain(), "JPEG"), id="jpeg"),
        pytest.param(lambda: file_of(plain(), "WEBP"), id="webp"),
        pytest.param(lambda: animation("GIF"), id="animated gif"),
        pytest.param(lambda: animation("PNG"), id="animated png"),
        pytest.param(lambda: animation("WEBP"), id="animated webp"),
        pytest.param(lambda: file_of(plain(size=(1, 1))), id="1 x 1"),
        pytest.param(lambda: file_of(plain(size=(3000, 1))), id="a line"),
        pytest.param(lambda: file_of(plain("CMYK", color=(55, 235, 235, 0)), "JPEG"), id="cmyk"),
        pytest.param(lambda: file_of(plain().convert("P")), id="palette"),
    ],
)
def test_a_picture_of_each_kind_becomes_one(here: Client, alice: User, make: Callable[[], bytes]) -> None:
    assert upload(here, make()).status_code == 302
    assert is_near(kept(alice).getpixel((60, 60)), (*RED, 255))


def test_a_picture_of_16_bits_keeps_its_light(here: Client, alice: User) -> None:
    assert upload(here, file_of(Image.new("I;16", (300, 300), 0x8000))).status_code == 302
    assert is_near(kept(alice).getpixel((60, 60)), (128, 128, 128, 255))


def test_a_transparent_picture_stays_transparent(here: Client, alice: User) -> None:
    image = plain("RGBA", color=(0, 0, 0, 0))
    image.paste((*RED, 255), (100, 50, 200, 150))
    assert upload(here, file_of(image)).status_code == 302
    shown = kept(alice)
    assert shown.getpixel((1, 1))[3] == 0
    assert is_near(shown.getpixel((96, 96)), (*RED, 255))


def test_a_picture_is_upright_and_has_no_metadata(here: Client, alice: User) -> None:
    assert upload(here, with_exif(), "me.jpg").status_code == 302
    shown = kept(alice)
    assert is_near(shown.getpixel((96, 20)), RED)
    assert is_near(shown.getpixel((96, 170)), BLUE)
    webp = bytes(Picture.objects.get(user=alice).webp)
    assert not [word for word in (b"EXIF", b"XMP", b"ICCP", b"secret") if word in webp]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_noisiest_picture_is_small(here: Client, alice: User, mode: str) -> None:
    assert upload(here, file_of(noise(mode))).status_code == 302
    kept(alice)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "data",
    [SVG, b"%PDF-1.7\n", b"<!doctype html><script>alert(1)</script>", b"text", b"", b"RIFF", b"RIFF0000WEBP" * 4],
)
def test_another_type_is_refused_whatever_its_name(here: Client, alice: User, data: bytes) -> None:
    assert error_of(upload(here, data)) == pictures.WRONG_TYPE
    assert not Picture.objects.exists()


def test_a_type_that_pillow_knows_and_the_site_does_not_take(here: Client) -> None:
    for kind in ("BMP", "TIFF", "PPM", "TGA"):
        assert error_of(upload(here, file_of(plain(), kind))) == pictures.WRONG_TYPE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_truncated_file_is_refused(here: Client, kind: str) -> None:
    whole = file_of(noise("RGB"), kind)
    assert error_of(upload(here, whole[: len(whole) // 2])) in (pictures.DAMAGED, pictures.WRONG_TYPE)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    """A small file that says that it is large."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


def webp_of(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    head = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + sides
    return b"RIFF" + struct.pack("<I", 4 + len(head)) + b"WEBP" + head


def gif_of(width: int, height: int) -> bytes:
    frame = b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0" + b"\x02\x02L\x01\0;"
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6) + frame


@pytest.mark.parametrize("size", [(30_000, 30_000), (12_000, 12_000), (25_000_001, 1)])
@pytest.mark.parametrize("make", [png_of, webp_of, gif_of])
def test_a_bomb_is_refused_before_it_is_decoded(
    here: Client, monkeypatch: pytest.MonkeyPatch, make: Callable[[int, int], bytes], size: tuple[int, int]
) -> None:
    if make is not png_of and max(size) > 65_535:
        size = (30_000, 900)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    assert error_of(upload(here, make(*size))) == "The picture has too many pixels. It may have 25 million."


def test_the_webp_heads_without_extensions_are_read() -> None:
    assert features.check("webp")
    for more in ({"lossless": True}, {"lossless": False}):
        sizes: list[tuple[int, int]] = []
        file = io.BytesIO(file_of(plain(size=(301, 203)), "WEBP", **more))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pictures, "_check_pixels", lambda *size, sizes=sizes: sizes.append(size))
            pictures._check_webp_head(file)
        assert sizes == [(301, 203)]


def test_a_large_file_is_refused_unread(alice: User) -> None:
    class Large:
        size = 50_000_000

        def read(self, *_: int) -> bytes:
            raise AssertionError("it was read")

    with pytest.raises(Exception, match=r"The file is too large\. It may have 2\.5 MB\."):
        pictures.make_webp(Large())


def test_a_file_beyond_the_bound_has_its_sentence(here: Client, settings: Any) -> None:
    settings.ACCOUNTS = settings.ACCOUNTS | {"PICTURE_UPLOAD_BYTES": 100_000}
    assert error_of(upload(here, bytes(100_001))) == "The file is too large. It may have 0.1 MB."


def test_decoding_waits_for_its_turn(here: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = threading.BoundedSemaphore(1)
    monkeypatch.setattr(pictures, "_turns", turns)
    monkeypatch.setattr(pictures, "WAIT_SECONDS", 0.05)
    with turns, pytest.raises(Busy):
        pictures.make_webp(SimpleUploadedFile("me.png", file_of(plain())))
    assert pictures.make_webp(SimpleUploadedFile("me.png", file_of(plain())))
    with pytest.raises(Exception, match="type"):
        pictures.make_webp(SimpleUploadedFile("me.png", b"no"))
    assert turns.acquire(blocking=False)  # Given back after an error.
