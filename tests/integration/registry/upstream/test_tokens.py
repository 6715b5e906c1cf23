"""Being let in: tokens asked for anonymously, with a login or with a key, kept, renewed, and shown to nobody else."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from yarl import URL

from fakes.foreign_registry import ForeignRegistry, Storage
from integration.registry.upstream.setup import model_at, read_range, repository_at, upstream_to
from services.registry.upstream.challenge import Credentials, signed_bytes
from services.registry.upstream.signing import SigningKey, load_signing_key
from shared.digest import digest_of
from shared.errors import UpstreamRefused
from shared.settings import Secret

WEIGHTS = b"weights"
DIGEST = digest_of(WEIGHTS)
LOGIN = Credentials("ann", Secret("pass:word"))


class TokenDesk:
    """Hands out tokens that the registry takes, and remembers who asked."""

    def __init__(self, foreign: ForeignRegistry) -> None:
        self._foreign = foreign
        self.asked: list[tuple[str | None, URL]] = []
        self.field = "token"
        self.is_closed = False

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/token", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers.get("Authorization"), request.url))
        if self.is_closed:
            return web.Response(status=401)
        token = f"token-{len(self.asked)}"
        self._foreign.tokens = {token}
        return web.json_response({self.field: token})


@pytest.fixture
async def desk(foreign: ForeignRegistry) -> AsyncIterator[TokenDesk]:
    """Another server than the registry."""
    foreign.manifests["v1"] = b"{}"
    foreign.blobs[DIGEST] = WEIGHTS
    desk = TokenDesk(foreign)
    server = TestServer(desk.app(), host="127.0.0.1")
    await server.start_server()
    foreign.realm = f"http://127.0.0.1:{server.port}/token"
    yield desk
    await server.close()


@pytest.fixture
def signing_key(tmp_path: Path) -> tuple[Ed25519PublicKey, SigningKey]:
    private = Ed25519PrivateKey.generate()
    path = tmp_path / "id_ed25519"
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    key = load_signing_key(str(path))
    assert key is not None
    return private.public_key(), key


def realm_host(foreign: ForeignRegistry) -> str:
    return str(URL(foreign.realm).authority)


async def test_a_public_model_needs_a_token_but_no_name(foreign: ForeignRegistry, host: str, desk: TokenDesk) -> None:
    async with repository_at(host, upstream_to(host, realm_host(foreign))) as repository:
        assert await repository.manifest() == b"{}"
        assert await read_range(repository, DIGEST, 0, 7) == WEIGHTS
    assert [authorization for authorization, _ in desk.asked] == [None]
    assert desk.asked[0][1].query["scope"] == "repository:team/model:pull"
    assert desk.asked[0][1].query["service"] == "foreign"
    assert [seen.authorization for seen in foreign.seen] == [None, "Bearer token-1", "Bearer token-1"]


async def test_a_login_asks_for_its_own_token(foreign: ForeignRegistry, host: str, desk: TokenDesk) -> None:
    desk.field = "access_token"
    async with repository_at(
        host,
        upstream_to(host, realm_host(foreign), credentials={f"http://{host}": LOGIN, "http://other.example": LOGIN}),
    ) as repository:
        assert await repository.manifest() == b"{}"
    assert [authorization for authorization, _ in desk.asked] == [LOGIN.header]


async def test_a_login_for_one_registry_is_not_shown_to_another(
    foreign: ForeignRegistry, host: str, desk: TokenDesk
) -> None:
    upstream = upstream_to(host, realm_host(foreign), credentials={"http://other.example": LOGIN})
    async with repository_at(host, upstream) as repository:
        await repository.manifest()
    assert [authorization for authorization, _ in desk.asked] == [None]


async def test_a_basic_challenge_is_met_with_the_login(foreign: ForeignRegistry, host: str) -> None:
    foreign.challenge = 'Basic realm="foreign"'
    async with repository_at(host, upstream_to(host, credentials={f"http://{host}": LOGIN})) as repository:
        with pytest.raises(UpstreamRefused, match=r"^pull model manifest: unauthorized: access denied$"):
            await repository.manifest()
    assert [seen.authorization for seen in foreign.seen] == [None, LOGIN.header]


@pytest.mark.parametrize("challenge", ['Basic realm="foreign"', "Negotiate"])
async def test_a_challenge_that_cannot_be_met_is_the_end(foreign: ForeignRegistry, host: str, challenge: str) -> None:
    foreign.challenge = challenge
    async with repository_at(host) as repository:
        with pytest.raises(UpstreamRefused, match=r"^pull model manifest: unauthorized: access denied$"):
            await repository.manifest()
    assert len(foreign.seen) == 1


async def test_a_second_401_is_the_end(foreign: ForeignRegistry, host: str, desk: TokenDesk) -> None:
    foreign.challenge = f'Bearer realm="{foreign.realm}"'
    async with repository_at(host, upstream_to(host, realm_host(foreign))) as repository:
        with pytest.raises(UpstreamRefused, match=r"^pull model manifest: unauthorized: access denied$"):
            await repository.manifest()
    assert (len(foreign.seen), len(desk.asked)) == (2, 1)


async def test_a_token_server_that_knows_nobody_is_the_end(
    foreign: ForeignRegistry, host: str, desk: TokenDesk
) -> None:
    desk.is_closed = True
    async with repository_at(host, upstream_to(host, realm_host(foreign))) as repository:
        with pytest.raises(UpstreamRefused, match=r"unauthorized: access denied$"):
            await repository.manifest()


async def test_a_token_that_has_expired_is_renewed_once_for_all(
    foreign: ForeignRegistry, host: str, desk: TokenDesk
) -> None:
    async with repository_at(host, upstream_to(host, realm_host(foreign))) as repository:
        await read_range(repository, DIGEST, 0, 1)
        foreign.tokens.clear()
        read = await asyncio.gather(*(read_range(repository, DIGEST, start, 7) for start in range(7)))
    assert read == [WEIGHTS[start:] for start in range(7)]
    assert len(desk.asked) == 2


async def test_the_storage_a_registry_points_to_never_sees_the_token(
    foreign: ForeignRegistry, host: str, desk: TokenDesk, storage: Storage
) -> None:
    hosts = (host, realm_host(foreign), str(URL(storage.url).authority))
    async with repository_at(host, upstream_to(*hosts, credentials={f"http://{host}": LOGIN})) as repository:
        assert await read_range(repository, DIGEST, 0, 3) == WEIGHTS[:3]
        assert await read_range(repository, DIGEST, 3, 7) == WEIGHTS[3:]
    assert [seen.authorization for seen in storage.seen] == [None, None]


@contextlib.asynccontextmanager
async def with_own_desk(foreign: ForeignRegistry, desk: TokenDesk) -> AsyncIterator[str]:
    """The registry and its token server at one address."""
    app = foreign.app()
    app.router.add_get("/v2/token", desk.answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    foreign.realm = str(server.make_url("/v2/token"))
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.close()


async def test_a_key_signs_for_the_registrys_own_token_server(
    foreign: ForeignRegistry, signing_key: tuple[Ed25519PublicKey, SigningKey]
) -> None:
    public, key = signing_key
    foreign.manifests["v1"] = b"{}"
    desk = TokenDesk(foreign)
    async with (
        with_own_desk(foreign, desk) as host,
        repository_at(host, upstream_to(host, credentials={f"http://{host}": None}, key=key)) as repository,
    ):
        assert await repository.manifest() == b"{}"
    [(authorization, url)] = desk.asked
    assert authorization is not None
    shown, signature = authorization.split(":")
    assert serialization.load_ssh_public_key(b"ssh-ed25519 " + shown.encode()) == public
    sent = URL(f"http://{host}{url.raw_path_qs}", encoded=True)
    public.verify(base64.b64decode(signature), signed_bytes(sent))
    assert url.query["ts"].isdecimal()
    assert len(base64.urlsafe_b64decode(url.query["nonce"] + "==")) == 16


async def test_a_key_does_not_sign_for_another_host(
    foreign: ForeignRegistry, host: str, desk: TokenDesk, signing_key: tuple[Ed25519PublicKey, SigningKey]
) -> None:
    upstream = upstream_to(host, realm_host(foreign), credentials={f"http://{host}": None}, key=signing_key[1])
    async with repository_at(host, upstream) as repository:
        with pytest.raises(UpstreamRefused) as refused:
            await repository.manifest()
    text = f'realm host "{realm_host(foreign)}" does not match original host "{host}"'
    assert refused.value.message == f"pull model manifest: {text}"
    assert desk.asked == []


async def test_each_pull_begins_without_the_last_ones_token(
    foreign: ForeignRegistry, host: str, desk: TokenDesk
) -> None:
    async with upstream_to(host, realm_host(foreign)) as upstream:
        for _ in range(2):
            async with upstream.repository(model_at(host), insecure=True) as repository:
                await repository.manifest()
    assert [seen.authorization for seen in foreign.seen] == [None, "Bearer token-1", None, "Bearer token-2"]


@pytest.mark.parametrize("challenge", ["Basic", "Bearer"])
async def test_over_plain_http_a_login_for_https_is_not_shown(
    foreign: ForeignRegistry, host: str, desk: TokenDesk, challenge: str
) -> None:
    """Whoever is on the way may have sent the challenge."""
    foreign.challenge = 'Basic realm="foreign"' if challenge == "Basic" else ""
    desk.is_closed = True
    async with repository_at(host, upstream_to(host, realm_host(foreign), credentials={host: LOGIN})) as repository:
        with pytest.raises(UpstreamRefused, match=r"unauthorized: access denied$"):
            await repository.manifest()
    assert [seen.authorization for seen in foreign.seen] == [None]
    assert [authorization for authorization, _ in desk.asked] == ([] if challenge == "Basic" else [None])


async def test_over_plain_http_a_key_is_not_shown_unasked(
    foreign: ForeignRegistry, signing_key: tuple[Ed25519PublicKey, SigningKey]
) -> None:
    foreign.manifests["v1"] = b"{}"
    desk = TokenDesk(foreign)
    async with with_own_desk(foreign, desk) as host:
        upstream = upstream_to(host, credentials={host: LOGIN}, key=signing_key[1])
        async with repository_at(host, upstream) as repository:
            assert await repository.manifest() == b"{}"
    [(authorization, url)] = desk.asked
    assert authorization is None
    assert "nonce" not in url.query
