"""The monitor's readings, samples and frames, on the wire and in Redis. A leaf."""

from datetime import datetime
from typing import Annotated

import msgspec

from hubbub.protocol import Event

# With epochs until the year 2106 a version is below 2**53.
EPOCH_SHIFT = 21

# Integers that JSON numbers hold exactly: larger ones could be decoded but not sent.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Name = Annotated[str, msgspec.Meta(max_length=255)]


class Usage(msgspec.Struct, frozen=True):
    """Bytes."""

    used: Count
    total: Count


class Network(msgspec.Struct, frozen=True):
    """Bytes per second since the last reading, over all interfaces but the loopback."""

    received: Count
    sent: Count


class Host(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One host's reading. Two hosts may share a name, never an id.

    `stale_since` is set only if the host has not reported lately.
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
    """The reading of one server process. `id` is `host:name:pid`, with the host's id; lags are of the event loop."""

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
    """One sample: the same bytes for every socket. `seq` rises by one within an epoch; epochs rise."""

    epoch: int
    seq: int
    at: datetime
    hosts: tuple[Host, ...]
    processes: tuple[Process, ...]


class MetricsHistory(msgspec.Struct, frozen=True):
    """Recent samples, oldest first, as they were sent. With `every` 3, each third sample is included.

    `age_ms`: the age of the newest sample by the server's clock; None without a sample.
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
    """Decode a reading. `kind`: host or process. None for bytes of another release or another program."""
    try:
        return _reading_decoders[kind].decode(text)
    except (msgspec.MsgspecError, KeyError, RecursionError, UnicodeError):
        return None


def is_sample(text: bytes) -> bool:
    """Whether the bytes are a valid sample that can be sent as they are."""
    try:
        _sample_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False
    return True


def decode_sample(text: bytes) -> MetricsSampled:
    return _sample_decoder.decode(text)


def version_of(epoch: int, seq: int) -> int:
    """One number that rises with (epoch, seq), for the position on the wire, which JavaScript reads exactly.

    Epochs are seconds since 1970 and rise. At two samples a second, a leader of eleven days is below the next epoch.
    """
    return (epoch << EPOCH_SHIFT) + seq
