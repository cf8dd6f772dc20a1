"""What a round of the case `page` measures. Each part opens pages of its own, and returns its rows' figures."""

from collections.abc import Callable

from bench.page.people import places, two
from bench.page.place import Figures, Place
from bench.page.visits import loads, sizes, switches
from bench.page.work import event, heap, minute

# Once in a run: it takes minutes, and memory varies little.
ONCE = ("heap",)
# By name; each with its rows. The one that ends the server comes last.
PARTS: dict[str, tuple[Callable[[Place], Figures], tuple[str, ...]]] = {
    "switches": (switches, ("switch-again", "switch-new", "switch-again-150", "switch-new-150", "cls-switch")),
    "loads": (loads, ("load-cold", "load-warm", "load-cold-tcp", "cls-load")),
    "sizes": (
        sizes,
        ("bytes-html", "bytes-css", "bytes-js", "bytes-other", "bytes-socket", "bytes-message"),
    ),
    "event": (event, ("event", "event-task", "event-cpu")),
    "minute": (minute, ("minute-longest", "minute-dropped", "minute-idle", "minute-busy")),
    "heap": (heap, ("heap-before", "heap-growth")),
    "places": (places, ("back-moves", "new-moves")),
    "two": (two, ("enter", "strip", "strip-painted", "waiting", "draft")),
}
