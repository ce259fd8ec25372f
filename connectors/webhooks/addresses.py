"""Which addresses may be connected to: an endpoint's owner must not reach into Kairos's own network (server-side request forgery).

The rule this module owns: the very address that a socket is about to be made for is judged, after every look-up, so no name that answers differently the
second time gets around it.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last 32 bits are an IPv4 address."""


class Private(OSError):
    """The address is none of the public internet."""


def is_public(address: Address) -> bool:
    """Whether it is an address of the public internet, and so is the IPv4 address within it, if it holds one."""
    if isinstance(address, IPv6Address):
        within = _within(address)
        if within is not None:
            return is_public(within)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def public_socket(info: AddressInfo) -> socket.socket:
    """A socket for an address, as aiohttp asks for one just before it connects. Raises Private."""
    family, kind, protocol, _, where = info
    if not isinstance(where[0], str) or not is_public(ip_address(where[0].partition("%")[0])):
        raise Private(f"{where[0]!s} is a private address")
    return socket.socket(family, kind, protocol)


def any_socket(info: AddressInfo) -> socket.socket:
    """A socket for an address, whatever it is."""
    family, kind, protocol, _, _ = info
    return socket.socket(family, kind, protocol)


def _within(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
