"""The address a client is answered with, and whether it is known to be ours."""

import pytest

from services.gateway.public_address import Address, address_of, parse_public_urls
from shared.errors import ParameterInvalid

PUBLIC = ("https://corral.example", "http://10.0.0.5:11434")


def address(host: str, listening: tuple[str, int] | None = None, public: tuple[str, ...] = PUBLIC) -> Address:
    return address_of(host, scheme="http", listening=listening, public_urls=public)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("corral.example", "https://corral.example"),
        ("Corral.Example", "https://Corral.Example"),
        ("corral.example:443", "https://corral.example:443"),
        ("10.0.0.5:11434", "http://10.0.0.5:11434"),
    ],
)
def test_a_public_address_gives_its_scheme_and_keeps_the_clients_spelling(host: str, url: str) -> None:
    assert (address(host).url, address(host).is_own) == (url, True)


@pytest.mark.parametrize("host", ["other.example", "corral.example:8443", "corral.example.evil.example", "10.0.0.5"])
def test_another_name_or_port_is_repeated_but_not_taken_for_ours(host: str) -> None:
    assert address(host) == Address(scheme="http", authority=host, is_own=False)


@pytest.mark.parametrize(
    ("host", "listening", "is_own"),
    [
        ("10.0.0.9:11434", ("10.0.0.9", 11434), True),
        ("10.0.0.9:11435", ("10.0.0.9", 11434), False),
        ("10.0.0.9", ("10.0.0.9", 80), True),
        ("10.0.0.8:11434", ("10.0.0.9", 11434), False),
        ("localhost:11434", ("127.0.0.1", 11434), True),
        ("localhost:11434", ("::1", 11434), True),
        ("localhost:11434", ("10.0.0.9", 11434), False),
        ("[::1]:11434", ("::1", 11434), True),
        ("10.0.0.9:11434", ("::ffff:10.0.0.9", 11434), True),
        ("evil.example:11434", ("10.0.0.9", 11434), False),
        ("10.0.0.9:11434", None, False),
    ],
)
def test_without_a_public_address_the_very_socket_is_ours(
    host: str, listening: tuple[str, int] | None, is_own: bool
) -> None:
    assert address(host, listening, public=()).is_own is is_own


@pytest.mark.parametrize("host", ["", 'a"b', "a b", "a/b", "a\\b", "user@host", "host:port", "a:1:2", "[::1", "ä"])
def test_a_host_header_that_would_break_out_of_an_address_is_refused(host: str) -> None:
    with pytest.raises(ParameterInvalid, match="Host header"):
        address(host)


def test_the_setting_is_a_list() -> None:
    assert parse_public_urls("https://a.example, http://b:1,") == ("https://a.example", "http://b:1")
    assert parse_public_urls("") == ()
