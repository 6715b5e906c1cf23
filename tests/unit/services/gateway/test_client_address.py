"""Who a request comes from, as far as our own proxies can be believed."""

import pytest

from services.gateway.client_address import client_address, parse_networks

NGINX = "10.0.0.2"
TRUSTED = parse_networks("10.0.0.0/24, fd00::/64")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "wanted"),
    [
        (NGINX, "203.0.113.7", "203.0.113.7"),
        (NGINX, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (NGINX, "198.51.100.1, 203.0.113.7, 10.0.0.3", "203.0.113.7"),
        (NGINX, "10.0.0.9", "10.0.0.9"),
        (NGINX, "", NGINX),
        (NGINX, "unknown", NGINX),
        (NGINX, "203.0.113.7, _hidden, 10.0.0.3", "10.0.0.3"),
        ("::ffff:10.0.0.2", "2001:db8::1", "2001:db8::1"),
        ("fd00::5", "203.0.113.7", "203.0.113.7"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        (None, "198.51.100.1", None),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_proxy_of_ours(
    peer: str | None, forwarded_for: str, wanted: str | None
) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == wanted


def test_without_proxies_of_ours_nothing_is_believed() -> None:
    assert client_address(NGINX, "203.0.113.7", ()) == NGINX


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/24"):
        parse_networks("10.1.0.0/16, 10.0.0.1/24")
