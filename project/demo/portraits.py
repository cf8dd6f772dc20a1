"""Pictures of the demo's people, drawn: a number gives the same picture each time, and no file or network is needed."""

import io
import random
from typing import Any

from django.core.files.base import ContentFile

from project.accounts.pictures import make_webp

SIDE = 384
SKINS = ("#f3d3bd", "#e0ac85", "#c58c5f", "#9a653f", "#6e452b", "#4b2e20")
HAIRS = ("#1d1a19", "#3b2a20", "#6a4a2f", "#a7743e", "#d9b36c", "#8d8d8d", "#7c2f22")
GROUNDS = (
    *(("#264653", "#2a9d8f"), ("#6d597a", "#b56576"), ("#1d3557", "#457b9d"), ("#7f5539", "#ddb892")),
    *(("#2b2d42", "#8d99ae"), ("#386641", "#a7c957"), ("#5f0f40", "#9a031e"), ("#3d405b", "#e07a5f")),
)
ROBOT = 21


def portrait(number: int) -> bytes:
    """The WebP of a drawing, as an upload of it becomes one."""
    from PIL import Image, ImageDraw

    chance = random.Random(f"portrait {number}")  # noqa: S311 - a drawing
    image = Image.new("RGB", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    _ground(draw, *GROUNDS[number % len(GROUNDS)])
    if number == ROBOT:
        _robot(draw)
    elif number % 5 == 0:
        _landscape(draw, chance)
    else:
        _person(draw, chance)
    file = io.BytesIO()
    image.save(file, "PNG")
    return make_webp(ContentFile(file.getvalue(), "drawing.png"))


def _ground(draw: Any, above: str, below: str) -> None:
    from PIL import ImageColor

    first, last = ImageColor.getrgb(above), ImageColor.getrgb(below)
    for y in range(SIDE):
        share = y / SIDE
        draw.line((0, y, SIDE, y), tuple(round(a + (b - a) * share) for a, b in zip(first[:3], last[:3], strict=True)))


def _person(draw: Any, chance: random.Random) -> None:
    skin, hair, cloth = chance.choice(SKINS), chance.choice(HAIRS), chance.choice(GROUNDS)[1]
    middle = SIDE / 2 + chance.uniform(-12, 12)
    wide, high = chance.uniform(66, 80), chance.uniform(84, 98)
    top = 96 + chance.uniform(-8, 14)
    if chance.random() < 0.45:  # Long hair, behind the head.
        draw.rounded_rectangle((middle - wide - 22, top - 24, middle + wide + 22, top + 2 * high + 40), 70, hair)
    draw.ellipse((middle - 150, 292, middle + 150, 560), cloth)
    draw.rounded_rectangle((middle - 30, top + 1.6 * high, middle + 30, 330), 24, skin)
    draw.ellipse((middle - wide, top, middle + wide, top + 2 * high), skin)
    draw.pieslice((middle - wide - 10, top - 26, middle + wide + 10, top + high + 30), 180, 360, hair)
    fringe = chance.uniform(0, 26)
    draw.pieslice((middle - wide, top + 20, middle + wide, top + 96 + fringe), 200, 340, skin)
    eyes, glasses = top + high + 6, chance.random() < 0.3
    for side in (-1, 1):
        x = middle + side * wide * 0.42
        draw.ellipse((x - 7, eyes - 8, x + 7, eyes + 8), "#231a16")
        if glasses:
            draw.ellipse((x - 26, eyes - 24, x + 26, eyes + 26), outline="#231a16", width=6)
    smile = chance.uniform(18, 34)
    draw.arc((middle - smile, eyes + 26, middle + smile, eyes + 62), 15, 165, "#7a2e28", 7)


def _landscape(draw: Any, chance: random.Random) -> None:
    x = chance.uniform(90, 290)
    draw.ellipse((x - 44, 60, x + 44, 148), "#ffd166")
    for shade, base in (("#52796f", 230), ("#354f52", 280), ("#2f3e46", 330)):
        peaks = [(at, base + chance.uniform(-70, 40)) for at in range(0, SIDE + 97, 96)]
        draw.polygon([(0, SIDE), *peaks, (SIDE, SIDE)], shade)


def _robot(draw: Any) -> None:
    draw.line((SIDE / 2, 60, SIDE / 2, 120), "#e9ecef", 10)
    draw.ellipse((SIDE / 2 - 18, 36, SIDE / 2 + 18, 72), "#ffd166")
    draw.rounded_rectangle((82, 116, 302, 300), 44, "#e9ecef")
    for x in (150, 234):
        draw.ellipse((x - 24, 176, x + 24, 224), "#1d3557")
    draw.rounded_rectangle((140, 248, 244, 264), 8, "#1d3557")
