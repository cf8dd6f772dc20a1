"""Makes the icons of the installed site from the glyph in favicon.svg: `python -m scripts.icons`.

Home screens need PNG files. The glyph is two rings, which Pillow draws: no converter of SVG is needed.
"""

import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image, ImageDraw

IMAGES = Path(__file__).resolve().parent.parent / "hubbub" / "static" / "hubbub" / "img"
PAPER = "#f9fafc"  # `--paper` in tokens.css.
FINE = 8  # The edges are drawn so many times larger, and then made smooth.
VIEW = 32  # The side of the glyph's view box.
# By file: the side, the share of it that the glyph takes, and the radius of the corners as a share.
# A launcher may cut a maskable icon to a circle of 80 %, and Apple's rounds the corners itself.
ICONS = {
    "icon-192.png": (192, 0.76, 0.22),
    "icon-512.png": (512, 0.76, 0.22),
    "icon-maskable-512.png": (512, 0.58, 0.0),
    "icon-apple.png": (180, 0.72, 0.0),
}


def main() -> None:
    for name in ICONS:
        (IMAGES / name).write_bytes(png(name))


def png(name: str) -> bytes:
    """Return the bytes of the icon with this file name."""
    side, share, radius = ICONS[name]
    large = side * FINE
    icon = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((0, 0, large - 1, large - 1), radius * large, fill=PAPER)
    scale = large * share / VIEW
    edge = large * (1 - share) / 2
    for x, y, r, stroke, colour in rings():
        outer = (r + stroke / 2) * scale
        middle = (edge + x * scale, edge + y * scale)
        draw.ellipse(
            (middle[0] - outer, middle[1] - outer, middle[0] + outer, middle[1] + outer),
            outline=colour,
            width=round(stroke * scale),
        )
    small = icon.resize((side, side), Image.Resampling.BOX)
    stored = BytesIO()
    (small if radius else small.convert("RGB")).save(stored, "PNG", optimize=True)
    return stored.getvalue()


def rings() -> list[tuple[float, float, float, float, str]]:
    """Return the glyph's rings, the lower one first: centre, radius, stroke and colour in the light theme."""
    glyph = ElementTree.parse(IMAGES / "favicon.svg").getroot()  # noqa: S314
    space = "{http://www.w3.org/2000/svg}"
    # Of two rules for a class the first is for light.
    colours = dict(reversed(re.findall(r"\.(\w+) \{ stroke: (#\w+) \}", glyph.findtext(f"{space}style") or "")))
    stroke = float(glyph.attrib["stroke-width"])
    return [
        (*(float(ring.attrib[name]) for name in ("cx", "cy", "r")), stroke, colours[ring.attrib["class"]])
        for ring in glyph.iter(f"{space}circle")
    ]


if __name__ == "__main__":
    main()
