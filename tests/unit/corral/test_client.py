"""Where the command line looks for its cluster, and how it reads what comes from there."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from corral.client import Client, api_key, base_url
from corral.errors import ApiError, CliError


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://127.0.0.1:11434"),
        ({"CORRAL_PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"CORRAL_HOST": "llm.internal"}, "http://llm.internal:11434"),
        ({"CORRAL_HOST": "10.0.0.5:8080"}, "http://10.0.0.5:8080"),
        ({"CORRAL_HOST": "https://llm.internal/"}, "https://llm.internal"),
        ({"CORRAL_HOST": "[::1]:99"}, "http://[::1]:99"),
        ({"CORRAL_HOST": " 'host' ", "CORRAL_PORT": "1"}, "http://host:11434"),
    ],
)
def test_the_address_comes_from_the_environment(environ: dict[str, str], url: str) -> None:
    assert base_url(environ) == url


@pytest.mark.parametrize(
    "host", ["http://[::1", "[::1", "host:port", "host:99999", "http://host:99999", "http://a\x00b"]
)
def test_what_is_no_address_is_named(host: str) -> None:
    with pytest.raises(CliError, match="CORRAL_HOST is not an address"):
        base_url({"CORRAL_HOST": host})


def test_the_key_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    assert api_key({}) == ""
    assert api_key({"CORRAL_API_KEY_FILE": str(file)}) == "from-file"
    assert api_key({"CORRAL_API_KEY": "own", "CORRAL_API_KEY_FILE": str(file)}) == "own"
    assert api_key({"CORRAL_API_KEY": "own\r"}) == "own"
    with pytest.raises(CliError, match="characters that no key has"):
        api_key({"CORRAL_API_KEY": "with\nbreak"})
    with pytest.raises(CliError, match="CORRAL_API_KEY_FILE cannot be read"):
        api_key({"CORRAL_API_KEY_FILE": str(tmp_path / "absent")})


class Pieces(httpx.SyncByteStream):
    """A reply that comes a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), 3):
            yield self._content[start : start + 3]


def client(content: bytes) -> Client:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Pieces(content)))
    return Client("http://cluster", transport=transport)


def test_only_a_newline_ends_an_object_of_a_stream() -> None:
    events = [{"response": f"one{mark}two"} for mark in ("\u0085", "\u2028", "\u2029", "\x7f", "é")]
    content = "\r\n".join(json.dumps(event, ensure_ascii=False) for event in events).encode()
    for end in (b"", b"\n", b"\n\n"):
        assert list(client(content + end).stream("/api/chat", {})) == events


def test_an_error_within_a_stream_ends_it() -> None:
    events = client(b'{"response":"a"}\n{"error":"out of memory"}').stream("/api/chat", {})
    assert next(events) == {"response": "a"}
    with pytest.raises(ApiError, match="out of memory"):
        next(events)
