"""What a connection has to be before anything is served on it."""

import asyncio
import contextlib
import ssl
import struct
import warnings

import aiohttp
import pytest
from yarl import URL

from integration.nginx.front_door import FrontDoor

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS_FRAME, HEADERS_FRAME = 4, 1
END_OF_STREAM_AND_HEADERS = 0x5
STATUS_200 = 0x88


async def handshake(door: FrontDoor, context: ssl.SSLContext, *, name: str | None = "localhost") -> ssl.SSLObject:
    """Raises: ssl.SSLError, ConnectionError when it is refused."""
    _, writer = await asyncio.open_connection("127.0.0.1", door.https_port, ssl=context, server_hostname=name)
    shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    return shown


def only(version: ssl.TLSVersion, door: FrontDoor) -> ssl.SSLContext:
    context = door.client_tls()
    # As far as the client is concerned, old protocols and small keys are fine: it is the server that must refuse.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_modern_versions_are_spoken(door: FrontDoor, version: ssl.TLSVersion) -> None:
    shown = await handshake(door, only(version, door))
    cipher = shown.cipher()
    assert cipher is not None
    assert shown.version() == version.name.replace("_", ".")
    assert any(word in cipher[0] for word in ("GCM", "CHACHA20"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_are_refused(door: FrontDoor, version: ssl.TLSVersion) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await handshake(door, only(version, door))


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"])
async def test_ciphers_without_authentication_or_forward_secrecy_are_refused(door: FrontDoor, cipher: str) -> None:
    context = only(ssl.TLSVersion.TLSv1_2, door)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await handshake(door, context)


@pytest.mark.parametrize("name", [None, "elsewhere.example"])
async def test_a_name_that_is_not_ours_gets_no_certificate(door: FrontDoor, name: str | None) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await handshake(door, context, name=name)


async def test_a_host_header_that_is_not_ours_is_not_served(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/api/version", headers={"Host": "elsewhere.example"}) as response:
        assert response.status == 421
        assert "Strict-Transport-Security" in response.headers


async def test_plain_http_leads_to_tls_with_method_and_query(door: FrontDoor, stranger: aiohttp.ClientSession) -> None:
    plain = URL(f"http://localhost:{door.http_port}/api/chat?a=1%2F2", encoded=True)
    async with stranger.post(plain, data=b"{}", allow_redirects=False) as response:
        assert response.status == 308
        assert response.headers["Location"] == f"{door.url}/api/chat?a=1%2F2"
        assert "Strict-Transport-Security" not in response.headers
    async with stranger.get(plain, headers={"Host": "elsewhere.example"}, allow_redirects=False) as response:
        assert response.status == 421


async def test_http_2_is_chosen_and_spoken(door: FrontDoor) -> None:
    context = door.client_tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    reader, writer = await asyncio.open_connection("localhost", door.https_port, ssl=context)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    writer.write(PREFACE + frame(SETTINGS_FRAME, 0, 0, b"") + frame(HEADERS_FRAME, END_OF_STREAM_AND_HEADERS, 1, GET))
    async with asyncio.timeout(10):
        while True:
            head = await reader.readexactly(9)
            content = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == HEADERS_FRAME:
                break
    # nginx may first say how large its table of headers is: a byte of the form 001xxxxx.
    assert STATUS_200 in content[:3]
    writer.transport.abort()


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """Source: RFC 9113 section 4.1."""
    return struct.pack("!I", len(content))[1:] + struct.pack("!BBI", kind, flags, stream) + content


def literal(index: int, value: str) -> bytes:
    """A header whose name is in the static table. Source: RFC 7541 section 6.2.2 and appendix A."""
    return bytes([index, len(value)]) + value.encode()


# :method GET and :scheme https are in the static table whole; :path is its fourth name, :authority its first.
GET = bytes([0x82, 0x87]) + literal(4, "/api/version") + literal(1, "localhost")
