"""Over TLS: certificates are checked, and what began encrypted stays so."""

import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fakes.foreign_registry import ForeignRegistry, Storage
from harness.token_server import self_signed
from integration.registry.upstream.setup import model_at, read_range, upstream_to
from services.registry.upstream.challenge import Credentials
from shared.digest import digest_of
from shared.errors import UpstreamFailed, UpstreamForbidden, UpstreamRefused
from shared.settings import Secret

WEIGHTS = os.urandom(100_000)
DIGEST = digest_of(WEIGHTS)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of its own for `localhost`, with its key in the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + self_signed(key, hosts=("localhost",)).public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def secure_host(foreign: ForeignRegistry, certificate: Path) -> AsyncIterator[str]:
    foreign.manifests["v1"] = b"{}"
    foreign.blobs[DIGEST] = WEIGHTS
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = TestServer(foreign.app(), host="127.0.0.1", scheme="https")
    await server.start_server(ssl=context)
    yield f"localhost:{server.port}"
    await server.close()


async def test_a_registry_with_a_trusted_certificate_is_read(
    secure_host: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with upstream_to(secure_host) as upstream, upstream.repository(model_at(secure_host)) as repository:
        assert await repository.manifest() == b"{}"
        assert await read_range(repository, DIGEST, 0, len(WEIGHTS)) == WEIGHTS


async def test_a_registry_whose_certificate_nobody_vouches_for_is_not_used(
    foreign: ForeignRegistry, secure_host: str
) -> None:
    async with upstream_to(secure_host) as upstream, upstream.repository(model_at(secure_host)) as repository:
        with pytest.raises(UpstreamFailed, match=r'^pull model manifest: Get "https://.*": tls: .*certificate'):
            await repository.manifest()
    assert foreign.seen == []


async def test_a_redirect_to_plain_http_is_not_followed(
    secure_host: str, certificate: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    upstream = upstream_to(secure_host, storage.url.removeprefix("http://"))
    async with upstream, upstream.repository(model_at(secure_host)) as repository:
        with pytest.raises(UpstreamForbidden, match="from https to plain http"):
            await read_range(repository, DIGEST, 0, 10)
    assert storage.seen == []


async def test_a_login_is_shown_over_tls_and_one_for_plain_http_is_not(
    foreign: ForeignRegistry, secure_host: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    foreign.challenge = 'Basic realm="foreign"'
    login = Credentials("ann", Secret("secure"))
    credentials = {secure_host: login, f"http://{secure_host}": Credentials("ann", Secret("plain"))}
    upstream = upstream_to(secure_host, credentials=credentials)
    async with upstream, upstream.repository(model_at(secure_host)) as repository:
        with pytest.raises(UpstreamRefused, match="access denied"):
            await repository.manifest()
    assert [seen.authorization for seen in foreign.seen] == [None, login.header]
