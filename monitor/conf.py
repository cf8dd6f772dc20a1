"""The monitor's tunables. A leaf: imports nothing of the monitor."""

from dataclasses import dataclass

from hubbub.conf import tunable


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """The monitor's tunables."""

    sample_seconds: float = tunable(2.0, "Time between two samples.", low=0.1, high=60)
    stale_seconds: float = tunable(7.0, "A dashboard without a sample for this long says so.", low=0.5, high=600)
    history_samples: int = tunable(300, "Samples kept for the charts of a tab that opens.", low=1, high=10_000)
    lease_seconds: float = tunable(
        5.0, "The leading publisher's lease: another one leads this long after it died.", low=0.5, high=60
    )


def settings() -> Monitor:
    """The monitor's tunables in force: `settings.MONITOR`, or the defaults."""
    from django.conf import settings as django_settings

    configured: Monitor = getattr(django_settings, "MONITOR", None) or Monitor()
    return configured
