"""What the monitor says on the wire and keeps in Redis: typed readings, samples and frames. A leaf."""

from datetime import datetime

import msgspec

from realtime.protocol import Event

# Everybody who watches.
GROUP = "monitor.samples"


class Usage(msgspec.Struct, frozen=True):
    """Bytes."""

    used: int
    total: int


class Network(msgspec.Struct, frozen=True):
    """Bytes per second since the reading before, all interfaces but the loopback."""

    received: int
    sent: int


class Host(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One host's reading. Two hosts may share a name, never an id.

    `stale_since` stands only where the host has not reported lately.
    """

    id: str
    name: str
    cpu_percent: float
    cores_percent: tuple[float, ...]
    memory_bytes: Usage
    swap_bytes: Usage
    disk_bytes: Usage
    network_bytes_per_second: Network
    load: tuple[float, float, float]
    uptime_seconds: int
    stale_since: datetime | None = None


class Process(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One server process's reading of itself. `id` is `host:name:pid`, by the host's id; lags are the event loop's."""

    id: str
    host_name: str
    sockets: int
    frames_in_per_second: float
    deliveries_per_second: float
    lag_p99_ms: float
    lag_max_ms: float
    memory_bytes: int
    stale_since: datetime | None = None


Reading = Host | Process


class MetricsSampled(Event, tag="metrics.sampled"):
    """One sample: the same bytes for every socket. `seq` rises by one within an epoch, epochs rise."""

    epoch: int
    seq: int
    at: datetime
    hosts: tuple[Host, ...]
    processes: tuple[Process, ...]


class MetricsHistory(Event, tag="metrics.history"):
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
    """`kind`: host or process. None for what another version of this program wrote."""
    try:
        return _reading_decoders[kind].decode(text)
    except msgspec.MsgspecError:
        return None


def decode_sample(text: bytes) -> MetricsSampled:
    return _sample_decoder.decode(text)


def version_of(epoch: int, seq: int) -> int:
    """One number that rises with (epoch, seq). Epochs are seconds since 1970, so it fits 63 bits."""
    return (epoch << 32) | seq
