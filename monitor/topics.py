"""The dashboard's topic: the recent samples at a join, then each new one."""

from hubbub import Topic, Versioned
from hubbub.process import PerLoop
from monitor.history import History
from monitor.store import store


class MetricsTopic(Topic, name="metrics"):
    """The newest sample. A frame that Redis has lost is in the state of the next join, or replaced by the next."""

    kind = "newest"
    permission = "monitor.view_dashboard"
    read_scope = "monitor.read"

    async def state(self) -> Versioned:
        page = await _history().page()
        return Versioned(page.json, page.version)


_history = PerLoop(lambda: History(store()))
