"""Ports for a server that shall find them free again when it comes back.

The rule this module owns: no port is one of those that the system lends to connections. While a server is away, anybody's connection, its own clients'
first of all, could be lent such a port; then the server has to go elsewhere, and who knew it waits for ever.
"""

import random
import socket
from pathlib import Path

_LENT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LENT_ELSEWHERE = (49_152, 65_535)
"""What RFC 6335 sets aside for this, and systems without that file use."""
_FIRST, _LAST = 10_000, 65_535
"""Below and above are ports that others have names for, and none."""
_TRIES_MAX = 1_000


def lent() -> range:
    """The ports that the system lends to connections."""
    try:
        first, last = map(int, _LENT.read_text().split())
    except (OSError, ValueError):
        first, last = _LENT_ELSEWHERE
    return range(first, last + 1)


def is_free(port: int) -> bool:
    """Whether a server could listen there, on loopback, now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free(count: int) -> list[int]:
    """So many ports that are free now, and that nobody is lent. OSError where none can be found."""
    kept = lent()
    own = [port for port in range(_FIRST, _LAST + 1) if port not in kept] or list(kept)
    found: list[int] = []
    for _ in range(_TRIES_MAX):
        if len(found) == count:
            return found
        port = random.choice(own)
        if port not in found and is_free(port):
            found.append(port)
    raise OSError(f"no {count} ports of {len(own)} are free")
