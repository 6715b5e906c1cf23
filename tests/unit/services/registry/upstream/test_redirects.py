"""Where redirects lead."""

import pytest
from yarl import URL

from services.registry.upstream.redirects import next_url, same_origin, shown
from shared.errors import UpstreamFailed, UpstreamForbidden

BLOB = URL("https://registry.example/v2/library/x/blobs/sha256:ab")


def test_a_location_may_be_absolute_or_relative() -> None:
    assert next_url(BLOB, "https://cdn.example/x") == URL("https://cdn.example/x")
    assert next_url(BLOB, "/y?a=b") == URL("https://registry.example/y?a=b")
    assert next_url(BLOB, "//cdn.example/z") == URL("https://cdn.example/z")


def test_a_signed_location_stays_letter_for_letter() -> None:
    signed = "https://cdn.example/a%2Fb?X-Sig=%2Babc%3d&x=a+b%20c"
    assert str(next_url(BLOB, signed)) == signed


def test_https_is_never_left() -> None:
    with pytest.raises(UpstreamForbidden):
        next_url(BLOB, "http://registry.example/x")
    assert next_url(URL("http://a/x"), "http://b/y") == URL("http://b/y")
    assert next_url(URL("http://a/x"), "https://b/y") == URL("https://b/y")


@pytest.mark.parametrize("location", [None, "", "ftp://a/b", "file:///etc/passwd", "https://u:p@cdn.example/"])
def test_a_location_that_is_no_place_to_go_is_a_failure(location: str | None) -> None:
    with pytest.raises(UpstreamFailed):
        next_url(BLOB, location)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("https://registry.example:443/other", True),
        ("https://registry.example:444/", False),
        ("http://registry.example/", False),
        ("https://registry.example.evil.example/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(other: str, is_same: bool) -> None:
    assert same_origin(BLOB, URL(other)) is is_same


def test_messages_show_no_signature() -> None:
    assert shown(URL("https://cdn.example/x?X-Amz-Signature=abc")) == "https://cdn.example/x"
