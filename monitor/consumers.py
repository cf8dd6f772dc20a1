"""The dashboard's socket: the recent samples once, then each new one."""

from hubbub.consumers import HubbubConsumer
from hubbub.process.per_loop import PerLoop
from monitor.history import History
from monitor.protocol import GROUP
from monitor.store import store


class MonitorConsumer(HubbubConsumer):
    permission = "monitor.view_dashboard"
    endpoint_scopes = frozenset({"monitor.read"})

    async def opened(self) -> None:
        # Join before reading the history, so that no sample is lost; samples of the history are not sent again.
        await self.join(GROUP)
        page = await _history().page()
        self.send_frame(page.text)
        self.go_live(GROUP, page.version)


_history = PerLoop(lambda: History(store()))
