"""What the collector holds to: sizes, times, names; none of it depends on who asks."""

from msgspec import Struct

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20


class Config(Struct, frozen=True, kw_only=True):
    """One collector."""

    bootstrap: str
    topic: str
    body_bytes_max: int = 4 * MEBIBYTE
    """Of a request as it comes over the wire."""
    unpacked_bytes_max: int = 8 * MEBIBYTE
    """Of a request that was compressed."""
    stranger_bytes_max: int = MEBIBYTE
    """Of a request, packed or unpacked, whose headers show no key: it is known only when all of it has been read."""
    items_max: int = 5_000
    """Of one batch."""
    item_bytes_max: int = 32 * KIBIBYTE
    """A larger item is a dead letter."""
    taken_bytes_max: int = 16 * MEBIBYTE
    """Of all that one batch becomes: a `context` that it shares is written into each item."""
    held_bytes_max: int = 64 * MEBIBYTE
    """Bodies that are still coming and items that wait for Kafka's acknowledgement, all requests together; beyond, 429."""
    delivery_seconds_max: float = 10.0
    """After this an item counts as not taken, 503; clients give up after 15 s."""
    head_bytes_max: int = 64 * KIBIBYTE
    """Of a request beside its body: its line, its headers, and what frames its chunks."""
    head_seconds_max: float = 10.0
    """From a request's first byte to the end of its headers."""
    body_seconds_max: float = 30.0
    """From the end of its headers to that of its body."""
    answer_seconds_max: float = 60.0
    """From there until the client has read the answer."""
    idle_seconds_max: int = 75
    """Between two requests of a connection: longer than load balancers keep theirs, so that none sends into one that is just closing."""
    connections_max: int = 4_096
    """At once; fewer where the system allows fewer files to be open."""
    origins: tuple[str, ...] = ("*",)
    """Pages that may send from a browser: their origins, or * for all. No cookies are ever asked for."""
    public_url: str | None = None
    """Where browsers reach it, if something stands in front of it; else what they say they have asked."""
