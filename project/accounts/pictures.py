"""Pictures of users: any common picture becomes a small WebP without metadata, kept in the database.

Pillow is imported by the first upload: most processes never need it.
"""

import hashlib
import io
import threading
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from hubbub.process.metrics import COUNTERS
from project.accounts import conf
from project.accounts.hashing import Busy
from project.accounts.models import Picture, User

MAX_BYTES = 32 * 1024
SIDE = 192
# Tried in turn until the file is small enough: side in pixels, quality.
SIZES = ((SIDE, 80), (SIDE, 50), (128, 50), (128, 20))
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
WAIT_SECONDS = 5.0

WRONG_TYPE = _("Use a picture of the type JPEG, PNG, WebP or GIF.")
DAMAGED = _("This picture cannot be read. The file may be damaged.")

_making = threading.Lock()
_turns: threading.BoundedSemaphore | None = None


def check_bytes(size: int) -> None:
    """Raise ValidationError for a file that is too large."""
    if size > (limit := conf.settings().picture_upload_bytes):
        megabytes = {"size": number_format(limit / 1_000_000, 1)}
        raise ValidationError(_("The file is too large. It may have %(size)s MB."), code="too_large", params=megabytes)


def make_webp(file: Any) -> bytes:
    """Make a square WebP of at most MAX_BYTES from an uploaded picture, of an animation from its first frame.

    Raises:
        ValidationError: for a file that is no picture, too large or damaged.
        Busy: too many pictures are being decoded.
    """
    check_bytes(file.size)
    turns = _in_turns()
    if not turns.acquire(timeout=WAIT_SECONDS):
        COUNTERS.limited["picture_decodes"] += 1
        raise Busy
    try:
        return _encoded(_square(file))
    finally:
        turns.release()


def set_picture(user: User, webp: bytes | None) -> None:
    """Save or remove the picture, in a transaction, and set `user.shown_picture`, which the caller saves."""
    assert transaction.get_connection().in_atomic_block
    if webp is None:
        Picture.objects.filter(user=user).delete()
        user.shown_picture = ""
        return
    user.shown_picture = hashlib.sha256(webp).hexdigest()[:32]
    Picture.objects.update_or_create(user=user, defaults={"digest": user.shown_picture, "webp": webp})


def _in_turns() -> threading.BoundedSemaphore:
    global _turns
    with _making:
        if _turns is None:
            _turns = threading.BoundedSemaphore(conf.settings().picture_decodes)
    return _turns


def _square(file: Any) -> Any:
    """The first frame, upright, square, in RGB or RGBA, without metadata."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    _check_webp_head(file)
    try:
        with Image.open(file, formats=FORMATS) as opened:
            _check_pixels(*opened.size)
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # A large JPEG is decoded smaller.
            opened.load()
            upright = ImageOps.exif_transpose(opened)
            fitted = ImageOps.fit(_in_plain_mode(upright), (SIDE, SIDE), Image.Resampling.LANCZOS)
    except ValidationError:
        raise
    except UnidentifiedImageError as error:
        raise ValidationError(WRONG_TYPE, code="wrong_type") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # Decoders of damaged files raise errors of many kinds.
        raise ValidationError(DAMAGED, code="damaged") from error
    plain = Image.new(fitted.mode, fitted.size)
    plain.paste(fitted)
    return plain


def _in_plain_mode(image: Any) -> Any:
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")  # 16 bits to 8.
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")


def _encoded(image: Any) -> bytes:
    for side, quality in SIZES:
        data = _webp(image.resize((side, side)) if side != image.width else image, quality)
        if len(data) <= MAX_BYTES:
            return data
    return _webp(image.resize((128, 128)).convert("RGB"), 20)


def _webp(image: Any, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, alpha_quality=quality, method=4)
    return file.getvalue()


def _check_webp_head(file: Any) -> None:
    """Pillow's decoder of WebP allocates the picture before its size can be read: read it from the file's head."""
    head = file.read(30)
    file.seek(0)
    if len(head) < 30 or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return
    if head[12:16] == b"VP8X":
        width, height = 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    elif head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    _check_pixels(width, height)


def _check_pixels(width: int, height: int) -> None:
    if width * height > conf.settings().picture_pixels:
        raise _too_many_pixels()


def _too_many_pixels() -> ValidationError:
    millions = conf.settings().picture_pixels / 1_000_000
    text = _("The picture has too many pixels. It may have %(millions)d million.")
    return ValidationError(text, code="too_large", params={"millions": round(millions)})
