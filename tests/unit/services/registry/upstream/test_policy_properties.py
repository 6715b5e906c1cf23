"""Laws of the address rule and of the list of hosts."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from services.registry.upstream.policy import is_public, parse_upstream_hosts, split_host
from shared.errors import UpstreamForbidden

v4 = st.ip_addresses(v=4).map(ipaddress.IPv4Address)
v6 = st.ip_addresses(v=6).map(ipaddress.IPv6Address)
names = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)
ports = st.none() | st.integers(1, 65535)


@given(v4 | v6)
def test_nothing_that_python_calls_special_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    special = (
        address.is_private, address.is_loopback, address.is_link_local, address.is_multicast, address.is_reserved,
        address.is_unspecified,
    )  # fmt: skip
    is_embedding = isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped is not None or address in ipaddress.IPv6Network("64:ff9b::/96")
    )
    assert not (any(special) and is_public(address)) or is_embedding


@given(v4)
def test_an_embedded_address_is_as_public_as_itself(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        embedding = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + int(address))
        assert is_public(embedding) == is_public(address)


@given(names, ports)
def test_a_host_is_read_back_as_it_was_written(name: str, port: int | None) -> None:
    assert split_host(name if port is None else f"{name}:{port}") == (name, port)


@given(st.lists(st.tuples(names, ports), max_size=4), st.text(max_size=30), st.booleans())
def test_only_what_is_listed_becomes_an_upstream(
    listed: list[tuple[str, int | None]], asked: str, insecure: bool
) -> None:
    policy = parse_upstream_hosts(",".join(name if port is None else f"{name}:{port}" for name, port in listed))
    try:
        url = policy.base_url(asked, insecure=insecure)
    except UpstreamForbidden:
        return
    assert url.scheme == ("http" if insecure else "https")
    assert url.host in {name for name, _ in listed}


@given(names, ports, v4, st.integers(1, 65535))
def test_a_private_address_is_reached_only_as_a_listed_host(
    name: str, listed_port: int | None, address: ipaddress.IPv4Address, port: int
) -> None:
    policy = parse_upstream_hosts(name if listed_port is None else f"{name}:{listed_port}")
    is_listed = port == listed_port or (listed_port is None and port in (80, 443))
    try:
        policy.check_address(name, port, str(address))
        is_allowed = True
    except UpstreamForbidden:
        is_allowed = False
    assert is_allowed == (is_listed or is_public(address))
