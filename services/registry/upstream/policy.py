"""Which other registries may be talked to, and at which addresses. Pure: who connects asks here first.

Two rules. Only a listed host may be named as upstream. And whatever a host's name or a redirect leads to, the address
connected to must be public, unless that very host is listed: so a registry inside the network is reached only when an
operator listed it, and a hostile name, redirect or DNS answer leads nowhere.
"""

import ipaddress
import re
from typing import Final

import msgspec
from yarl import URL

from shared.errors import UpstreamForbidden
from shared.settings import SettingsInvalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORTS: Final = frozenset({80, 443})
"""What a listed host without a port stands for: plain http is used only where a pull says `insecure`."""

_HOST: Final = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9_.-]*)(?::(?P<port>[0-9]{1,5}))?")

_PRIVATE_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
"""Source: IANA IPv4 Special-Purpose Address Registry. A table of our own, for Python's changes between releases."""

_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_PRIVATE_V6: Final = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""The special parts of the global range, tunnels into IPv4 (Teredo, 6to4) among them.
Source: IANA IPv6 Special-Purpose Address Registry."""

_EMBEDDING_V6: Final = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
"""IPv4-mapped (RFC 4291) and NAT64 (RFC 6052): the IPv4 address in the last 32 bits is what is reached."""


def is_public(address: Address) -> bool:
    """Whether the address belongs to the open internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _PRIVATE_V4)
    if any(address in network for network in _EMBEDDING_V6):
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_V6 and not any(address in network for network in _PRIVATE_V6)


def split_host(text: str) -> tuple[str, int | None] | None:
    """`host[:port]` in lower case, an IPv6 address without its brackets; None when it is neither name nor address."""
    match = _HOST.fullmatch(text.lower())
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        return None
    return match["host"].strip("[]"), port


class UpstreamPolicy(msgspec.Struct, frozen=True):
    """The listed hosts; a port of None stands for DEFAULT_PORTS."""

    listed: frozenset[tuple[str, int | None]]

    def lists(self, host: str, port: int) -> bool:
        own = host.lower()
        return (own, port) in self.listed or (port in DEFAULT_PORTS and (own, None) in self.listed)

    def base_url(self, host: str, *, insecure: bool) -> URL:
        """Where the registry `host[:port]` of a model's name is.

        Raises: UpstreamForbidden when it is not listed.
        """
        scheme, default_port = ("http", 80) if insecure else ("https", 443)
        split = split_host(host)
        if split is None or not self.lists(split[0], split[1] or default_port):
            raise UpstreamForbidden(
                f'"{host}" is not among the registries this one may use (CORRAL_REGISTRY_UPSTREAM_HOSTS)'
            )
        return URL.build(scheme=scheme, host=split[0], port=split[1])

    def check_address(self, host: str, port: int, address: str) -> None:
        """Before connecting to `address`, which `host` stands for.

        Raises: UpstreamForbidden.
        """
        if self.lists(host, port):
            return
        try:
            public = is_public(ipaddress.ip_address(address))
        except ValueError:
            public = False
        if not public:
            raise UpstreamForbidden(f'"{host}" is at an address inside the network, and is not listed as a registry')

    def check_url(self, url: URL) -> None:
        """Before a request: a host that is an address has no name to look up, so it is checked here.

        Raises: UpstreamForbidden.
        """
        host, port = url.raw_host, url.port
        if host is None or port is None:
            raise UpstreamForbidden("an address without a host")
        # Anything a socket might take for an address: `127.1` and `2130706433` are no names either.
        if ":" in host or host.replace(".", "").isdigit():
            self.check_address(host, port, host)


def parse_upstream_hosts(text: str) -> UpstreamPolicy:
    """Read the comma-separated list of the setting.

    Raises: SettingsInvalid.
    """
    listed: set[tuple[str, int | None]] = set()
    for entry in filter(None, map(str.strip, text.split(","))):
        split = split_host(entry)
        if split is None:
            raise SettingsInvalid(f"CORRAL_REGISTRY_UPSTREAM_HOSTS: {entry!r} is no host[:port]")
        listed.add(split)
    return UpstreamPolicy(frozenset(listed))
