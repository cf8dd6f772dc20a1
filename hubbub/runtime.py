"""What an event loop of a server has once: its hub, and the revocation of what the hub's members may do.

The only place that knows both: the hub tells a watcher what it hears, and does not know of users' rights.
"""

from hubbub.auth.revocation import Revocation
from hubbub.delivery.hub import Hub
from hubbub.process.per_loop import PerLoop


class Runtime:
    """Of one event loop."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.revocation = Revocation(groups=self.hub.groups_by_name, renamed=self.hub.rename_user)
        self.hub.watch(self.revocation)


# The running event loop's; a server process has one loop.
runtime = PerLoop(Runtime)
