"""Which registries may be talked to, and at which addresses."""

import ipaddress

import pytest
from yarl import URL

from services.registry.upstream.policy import is_public, parse_upstream_hosts, split_host
from shared.errors import Kind, UpstreamForbidden
from shared.settings import SettingsInvalid

POLICY = parse_upstream_hosts(" registry.ollama.ai , Hub.Inside:5000,10.1.2.3:5000, [fd00::5]:5000,")


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::808:808",
        "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00::5", "fe80::1",
        "fe80::1%lo", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_on_the_internet_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
        "223.255.255.255", "2606:4700:4700::1111", "2a00::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
    ],
)  # fmt: skip
def test_addresses_on_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_a_listed_registry_is_reached_over_https() -> None:
    assert POLICY.base_url("registry.ollama.ai", insecure=False) == URL("https://registry.ollama.ai")
    assert POLICY.base_url("HUB.inside:5000", insecure=False) == URL("https://hub.inside:5000")


def test_insecure_means_plain_http() -> None:
    assert POLICY.base_url("registry.ollama.ai", insecure=True) == URL("http://registry.ollama.ai")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "registry.ollama.ai.evil.example", "registry.ollama.ai:8443", "registry.ollama.ai.",
        "hub.inside", "hub.inside:5001", "10.1.2.3", "127.0.0.1", "a:b", "a:1:2", "a:0", "a:65536", "",
    ],
)  # fmt: skip
def test_a_registry_that_is_not_listed_is_refused(host: str) -> None:
    with pytest.raises(UpstreamForbidden) as refused:
        POLICY.base_url(host, insecure=False)
    assert refused.value.kind is Kind.FORBIDDEN


def test_a_private_address_is_connected_to_only_for_a_listed_host_and_port() -> None:
    POLICY.check_address("hub.inside", 5000, "10.0.0.7")
    POLICY.check_address("registry.ollama.ai", 443, "192.168.0.1")
    for host, port in (("hub.inside", 5001), ("registry.ollama.ai", 8443), ("cdn.example", 443)):
        with pytest.raises(UpstreamForbidden):
            POLICY.check_address(host, port, "10.0.0.7")
        POLICY.check_address(host, port, "1.1.1.1")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://10.1.2.3/", "http://10.1.2.3:5001/", "https://[::1]/", "https://[fd00::5]/",
        "http://169.254.169.254/latest/meta-data/", "http://2130706433/", "http://127.1/", "http://0177.0.0.1/",
    ],
)  # fmt: skip
def test_a_url_that_names_a_private_address_is_refused(url: str) -> None:
    with pytest.raises(UpstreamForbidden):
        POLICY.check_url(URL(url))


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3:5000/", "https://[fd00::5]:5000/", "https://1.1.1.1/", "https://a.b/"]
)
def test_a_url_that_names_a_listed_or_public_host_is_not_refused(url: str) -> None:
    POLICY.check_url(URL(url))


@pytest.mark.parametrize("text", ["a b", "https://a", "a/b", "a:port", "a:0", "a:70000", ".a", "[::1", "*"])
def test_a_list_with_anything_but_hosts_in_it_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="UPSTREAM_HOSTS"):
        parse_upstream_hosts(f"registry.ollama.ai,{text}")


def test_an_empty_list_allows_nothing() -> None:
    assert parse_upstream_hosts("").listed == frozenset()


def test_hosts_are_compared_in_lower_case_and_without_brackets() -> None:
    assert split_host("Hub.Inside:5000") == ("hub.inside", 5000)
    assert split_host("[::1]:80") == ("::1", 80)
