"""What the monitor says on the wire and keeps in Redis: typed readings, samples and frames. A leaf."""

from datetime import datetime
from typing import Annotated

import msgspec

from hubbub.protocol import Event

# Everybody who watches.
GROUP = "monitor.samples"


# JSON's own exact integers; a longer one could be read and not be sent.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Name = Annotated[str, msgspec.Meta(max_length=255)]


class Usage(msgspec.Struct, frozen=True):
    """Bytes."""

    used: Count
    total: Count


class Network(msgspec.Struct, frozen=True):
    """Bytes per second since the reading before, all interfaces but the loopback."""

    received: Count
    sent: Count


class Host(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One host's reading. Two hosts may share a name, never an id.

    `stale_since` stands only where the host has not reported lately.
    """

    id: Name
    name: Name
    cpu_percent: float
    cores_percent: Annotated[tuple[float, ...], msgspec.Meta(max_length=4096)]
    memory_bytes: Usage
    swap_bytes: Usage
    disk_bytes: Usage
    network_bytes_per_second: Network
    load: tuple[float, float, float]
    uptime_seconds: Count
    stale_since: datetime | None = None


class Process(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One server process's reading of itself. `id` is `host:name:pid`, by the host's id; lags are the event loop's."""

    id: Name
    host_name: Name
    sockets: Count
    frames_in_per_second: float
    deliveries_per_second: float
    lag_p99_ms: float
    lag_max_ms: float
    memory_bytes: Count
    stale_since: datetime | None = None


Reading = Host | Process


class MetricsSampled(Event, tag="metrics.sampled", frozen=True):
    """One sample: the same bytes for every socket. `seq` rises by one within an epoch, epochs rise."""

    epoch: int
    seq: int
    at: datetime
    hosts: tuple[Host, ...]
    processes: tuple[Process, ...]


class MetricsHistory(Event, tag="metrics.history", frozen=True):
    """Recent samples, oldest first, as they were sent. `every`: of so many samples in a row one is here.

    `age_ms`: how long ago the newest was made, by the server's clock alone; None where there is none.
    """

    epoch: int
    interval_ms: int
    every: int
    age_ms: int | None
    samples: list[msgspec.Raw]


_encoder = msgspec.json.Encoder()
_reading_decoders: dict[str, "msgspec.json.Decoder[Reading]"] = {
    "host": msgspec.json.Decoder(Host),
    "process": msgspec.json.Decoder(Process),
}
_sample_decoder = msgspec.json.Decoder(MetricsSampled)


def encode(frame: msgspec.Struct) -> bytes:
    return _encoder.encode(frame)


def decode_reading(kind: str, text: bytes) -> Reading | None:
    """`kind`: host or process. None for what another version of this program wrote, or somebody else."""
    try:
        return _reading_decoders[kind].decode(text)
    except (msgspec.MsgspecError, KeyError, RecursionError, UnicodeError):
        return None


def is_sample(text: bytes) -> bool:
    """Whether it may be sent to dashboards as it is."""
    try:
        _sample_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False
    return True


def decode_sample(text: bytes) -> MetricsSampled:
    return _sample_decoder.decode(text)


def version_of(epoch: int, seq: int) -> int:
    """One number that rises with (epoch, seq). Epochs are seconds since 1970, so it fits 63 bits."""
    return (epoch << 32) | seq
