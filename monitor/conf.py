"""The monitor's tunables. A leaf: imports nothing of the monitor."""

from typing import Annotated

from hubbub.conf import Section, Tunables, bounds


class Monitor(Tunables, frozen=True, kw_only=True):
    """The monitor's tunables."""

    sample_seconds: Annotated[float, bounds(0.1, 60, "Time between two samples.")] = 2.0
    stale_seconds: Annotated[float, bounds(0.5, 600, "A dashboard without a sample for this long shows a warning.")] = (
        7.0
    )
    history_samples: Annotated[int, bounds(1, 10_000, "Samples kept for the charts of a tab that opens.")] = 300
    lease_seconds: Annotated[
        float, bounds(0.5, 60, "Lease of the leading publisher; after its death another leads within this time.")
    ] = 5.0


settings = Section("MONITOR", Monitor)
