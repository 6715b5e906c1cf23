"""Under which address a client reached us: the base of every URL it is given. Pure.

A Host header is a claim. It is repeated to the client that made it, but a signature over an address is accepted only
when the address is known to be ours: else another server could pass on what was signed for itself.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from shared.errors import ParameterInvalid

_AUTHORITY: Final = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?\Z")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """`authority` is host and port as the client wrote them; `is_own` whether they are known to be ours."""

    scheme: str
    authority: str
    is_own: bool

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse_public_urls(text: str) -> tuple[str, ...]:
    """The addresses of the setting, whose form its type has checked."""
    return tuple(url.strip() for url in text.split(",") if url.strip())


def hostnames(public_urls: Iterable[str]) -> frozenset[str]:
    """Their names without ports, in lower case: what a Host header may call us."""
    return frozenset(urlsplit(url).hostname or "" for url in public_urls)


def address_of(
    host_header: str, *, scheme: str, listening: tuple[str, int] | None, public_urls: Sequence[str]
) -> Address:
    """`scheme` and `listening` (ip, port) are those of the connection; `public_urls` are the operator's.

    Raises: ParameterInvalid for a Host header that is no host.
    """
    if _AUTHORITY.match(host_header) is None:
        raise ParameterInvalid("the Host header is not a host with an optional port")
    for url in public_urls:
        known = urlsplit(url)
        if _endpoint(known.netloc, known.scheme) == _endpoint(host_header, known.scheme):
            return Address(scheme=known.scheme, authority=host_header, is_own=True)
    name, port = _endpoint(host_header, scheme)
    return Address(scheme=scheme, authority=host_header, is_own=listening is not None and _is_at(name, port, listening))


def _endpoint(authority: str, scheme: str) -> tuple[str, int]:
    match = _AUTHORITY.match(authority)
    if match is None:
        return "", 0
    port = int(match[2][1:]) if match[2] else _DEFAULT_PORTS[scheme]
    return match[1].strip("[]").rstrip(".").lower(), port


def _is_at(name: str, port: int, listening: tuple[str, int]) -> bool:
    """Whether a name, without asking any name server, is the very socket that was connected to."""
    if port != listening[1]:
        return False
    own = _ip(listening[0])
    if name == "localhost":
        return own.is_loopback
    try:
        return _ip(name) == own
    except ValueError:
        return False


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; a socket for both families shows IPv4 ones inside IPv6."""
    ip = ipaddress.ip_address(text)
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip
