"""Pages judged by axe-core, and by the rules of the design for fingers and for forced colours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.support.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
TIMEOUT_MS = 15_000

# Still pages: a colour that fades in has too little contrast for a moment.
STILL: dict[str, Any] = {"reduced_motion": "reduce"}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
MODES: dict[str, dict[str, Any]] = {
    "light": STILL,
    "phone": STILL | PHONE,
    "dark": STILL | {"color_scheme": "dark"},
    "forced colours": STILL | {"forced_colors": "active"},
}


def modes(*quick: str) -> list[Any]:
    """The parameters of a test in all modes; those that are not `quick` belong to `make soak`."""
    return [pytest.param(mode, marks=[] if mode in quick else [pytest.mark.soak]) for mode in MODES]


RUN = """async ([within, isForced]) => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    // In forced colours the browser paints other ones than it tells scripts.
    const rules = { "target-size": { enabled: true }, "color-contrast": { enabled: !isForced } };
    const options = { runOnly: tags, rules, resultTypes: ["violations"], iframes: false };
    const { violations } = await axe.run(within ?? document, options);
    return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
        `${id}: ${node.target.join(" ")}: ${node.failureSummary.split("\\n").slice(1, 3).join(";")}`));
}"""

# What a finger can hit, 44 px around the middle: a label belongs to its box, and some names to their whole card. A link
# within a line of text is as high as the line.
SMALL = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=option]")]
    .filter((element) => {
        const isShown = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
        if (!isShown || element.disabled || element.matches(".message-body a, p a, dd a")) return false;
        const { left, right, top, bottom } = element.getBoundingClientRect();
        const [x, y] = [(left + right) / 2, (top + bottom) / 2];
        const isHit = (across, down) => {
            const hit = document.elementFromPoint(x + across, y + down);
            return hit !== null && (element.contains(hit) || hit.closest("label")?.control === element);
        };
        if (!isHit(0, 0)) return false;
        const isWide = right - left > 43.5 || (isHit(-21, 0) && isHit(21, 0)) || isHit(42, 0);
        const label = element.labels?.[0]?.getBoundingClientRect().height ?? 0;
        const isBox = element.matches("[type=checkbox], [type=radio]");
        const isHigh = bottom - top > 43.5 || (isHit(0, -21) && isHit(0, 21)) || (isBox && label > 43.5);
        return !isWide || !isHigh;
    })
    .map((element) => {
        const { width, height } = element.getBoundingClientRect();
        return `small: ${element.outerHTML.slice(0, 160).replace(/\\s+/g, " ")}: ${width} x ${height}`;
    })"""

# The focus goes to each element in turn, within what lies on top. A frame around it counts as its outline.
UNSEEN = """() => {
    const top = [...document.querySelectorAll("dialog[open], [popover]:popover-open")].at(-1) ?? document;
    const before = document.activeElement;
    const outlined = (element, part) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(element, part);
        return outlineStyle !== "none" && Number.parseFloat(outlineWidth) > 0;
    };
    const all = top.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]");
    const unseen = [...all].filter((element) => {
        if (!element.checkVisibility({ visibilityProperty: true }) || element.disabled) return false;
        element.focus({ preventScroll: true });
        if (document.activeElement !== element || !element.matches(":focus-visible")) return false;
        const frame = element.closest(".composer-box") ?? element;
        return !outlined(element) && !outlined(element, "::after") && !outlined(frame);
    });
    before?.focus({ preventScroll: true });
    return unseen.map((element) => `no outline: ${element.outerHTML.slice(0, 160).replace(/\\s+/g, " ")}`);
}"""
# Headings and the main part take the focus after a change of the page; there is nothing to be done with them.
PLACES = ('<h1 id="room-title"', '<main id="main"')


class Audit:
    """Looks at states of pages in one mode, and collects what is wrong."""

    def __init__(self, mode: str) -> None:
        self.is_phone = mode == "phone"
        self.is_forced = mode == "forced colours"
        self.found: list[str] = []
        self.states: list[str] = []

    async def look(self, page: Page, state: str, within: str | None = None) -> None:
        """Judge the page as it is now.

        Args:
            within: A selector: only the parts of the page that are the project's own.
        """
        self.states.append(state)
        # Evaluated by the debugger, which the page's policy does not bind: the policy stays in force, and is judged by
        # other tests.
        if not await page.evaluate("'axe' in globalThis"):
            await page.evaluate(AXE.read_text())
        found = await page.evaluate(RUN, [within, self.is_forced])
        if self.is_phone and within is None:
            found += await page.evaluate(SMALL)
        if self.is_forced and within is None:
            unseen = await page.evaluate(UNSEEN)
            found += [line for line in unseen if not any(place in line for place in PLACES)]
        self.found += [f"{state}: {line}" for line in found]


@asynccontextmanager
async def audited(
    browser: Browser, cluster: Cluster, mode: str, cookie: str | None = None
) -> AsyncIterator[tuple[Audit, Page]]:
    """A page in a mode, and its audit, which must have found nothing at the end of the block."""
    audit = Audit(mode)
    # A service worker would fetch the pages that a test answers itself.
    context = await browser.new_context(**MODES[mode], service_workers="block")
    if cookie is not None:
        await sign_in(context, cluster, cookie)
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    try:
        yield audit, page
    finally:
        await context.close()
    assert audit.states
    assert audit.found == [], "\n".join(["", *audit.found])


async def sign_in(context: BrowserContext, cluster: Cluster, cookie: str) -> None:
    host = urlsplit(cluster.url).hostname
    await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
