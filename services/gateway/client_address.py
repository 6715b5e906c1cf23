"""Which address a request comes from, when proxies stand in front of the gateway. Pure.

Everybody can write `X-Forwarded-For`; what it says counts only as far as proxies that are ours have written it.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOPS_MAX: Final = 16


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks and single addresses, comma-separated.

    Raises: ValueError, whose message names what is not one.
    """
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(peer: str | None, forwarded_for: str, trusted: Sequence[Network]) -> str | None:
    """The last address on the way here that is not one of our proxies'.

    `peer` is the other end of the connection, None without one; `forwarded_for` lists who was in front of it, each
    proxy's own addition at the end.
    """
    address = None if peer is None else _address(peer)
    for claim in reversed(forwarded_for.split(",")[-HOPS_MAX:]):
        claimed = _address(claim.strip())
        if address is None or claimed is None or not _is_in(address, trusted):
            break
        address = claimed
    return None if address is None else str(address)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> Address | None:
    """The address; one socket for both families shows IPv4 ones inside IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
