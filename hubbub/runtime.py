"""The objects that each event loop has once: its hub, and the revocation that watches it.

The only module that knows both: the hub reports changes to a watcher and knows nothing of permissions.
"""

from hubbub.auth.revocation import Revocation
from hubbub.delivery.hub import Hub
from hubbub.process.per_loop import PerLoop


class Runtime:
    """The runtime of one event loop.

    Attributes:
        is_served: whether the services of the process run in the loop; without them a socket would get nothing.
    """

    is_served = False

    def __init__(self) -> None:
        self.hub = Hub()
        self.revocation = Revocation(groups=self.hub.groups_by_name, on_rename=self.hub.rename_user)
        self.hub.watch(self.revocation)


# Call it for the runtime of the running event loop; a server process has one loop.
runtime = PerLoop(Runtime)
