"""What the collector holds to: sizes, times, names; none of it depends on who asks."""

from msgspec import Struct

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20


class Config(Struct, frozen=True, kw_only=True):
    """One collector."""

    bootstrap: str
    topic: str
    body_bytes_max: int = 4 * MEBIBYTE
    """Of a request as it comes over the wire."""
    unpacked_bytes_max: int = 16 * MEBIBYTE
    """Of a request that was compressed."""
    items_max: int = 5_000
    """Of one batch."""
    item_bytes_max: int = 32 * KIBIBYTE
    """A larger item is a dead letter."""
    waiting_bytes_max: int = 64 * MEBIBYTE
    """What may wait for Kafka's acknowledgement, all requests together; beyond, 429."""
    delivery_seconds_max: float = 10.0
    """After this an item counts as not taken, 503; clients give up after 15 s."""
    retry_after_seconds: int = 1
    """What a 429 tells a client to wait."""
    origins: tuple[str, ...] = ("*",)
    """Pages that may send from a browser: their origins, or * for all. No cookies are ever asked for."""
