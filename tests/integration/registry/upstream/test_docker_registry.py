"""Against the CNCF's registry, with tokens from a server of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from harness.cutting_proxy import CuttingProxy
from harness.docker_registry import running_docker_registry
from harness.token_server import TokenServer
from integration.registry.upstream.setup import PART_BYTES, model_at, read_range, upstream_to
from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, encode_manifest
from services.registry.transfers.push import push
from services.registry.upstream.challenge import Credentials
from services.registry.upstream.client import Upstream
from shared.digest import Digest, digest_of
from shared.errors import UpstreamRefused, UpstreamUnknown
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_name import ModelName
from shared.settings import Secret

WEIGHTS = os.urandom(3 * PART_BYTES + 5)
DIGEST = digest_of(WEIGHTS)
CONFIG = b'{"model_format":"gguf"}'
LOGIN = Credentials("ann", Secret("pass:word"))


@pytest.fixture
async def tokens(tmp_path: Path) -> AsyncIterator[tuple[TokenServer, str]]:
    """The token server and where it is; everyone may pull, Ann may push."""
    server = TokenServer({LOGIN.user: LOGIN.password.reveal()}, public=True)
    served = TestServer(server.app(), host="127.0.0.1")
    await served.start_server()
    yield server, f"127.0.0.1:{served.port}"
    await served.close()


@pytest.fixture
async def registry(tmp_path: Path, tokens: tuple[TokenServer, str]) -> AsyncIterator[str]:
    server, host = tokens
    certificate = tmp_path / "tokens.pem"
    server.write_certificate(certificate)
    async with running_docker_registry(tmp_path, realm=f"http://{host}/token", certificate=certificate) as registry:
        yield registry


async def stored(name: ModelName, blobs: BlobStore, manifests: ManifestStore) -> ModelName:
    weights, _ = await blobs.commit_bytes(WEIGHTS)
    config, _ = await blobs.commit_bytes(CONFIG)
    manifest = Manifest(
        config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=config, size=len(CONFIG)),
        layers=(Layer(media_type=MediaType.MODEL, digest=weights, size=len(WEIGHTS)),),
    )
    manifests.write(name, encode_manifest(manifest))
    return name


async def pushed(
    name: ModelName, upstream: Upstream, blobs: BlobStore, manifests: ManifestStore, library: ModelLibrary
) -> None:
    async for _ in push(name, upstream, manifests, blobs, library, insecure=True):
        pass


async def test_a_pushed_model_is_read_back(
    registry: str, tokens: tuple[TokenServer, str], blobs: BlobStore, manifests: ManifestStore, library: ModelLibrary
) -> None:
    server, token_host = tokens
    name = await stored(model_at(registry), blobs, manifests)
    async with upstream_to(registry, token_host, credentials={f"http://{registry}": LOGIN}) as upstream:
        await pushed(name, upstream, blobs, manifests, library)
        user, (scope,) = server.asked[-1]
        assert (user, sorted(scope.rsplit(":", 1)[1].split(","))) == (LOGIN.user, ["pull", "push"])
    async with upstream_to(registry, token_host) as upstream, upstream.repository(name, insecure=True) as repository:
        content = await repository.manifest()
        assert content == encode_manifest(manifests.read(name).manifest).rstrip()
        assert await repository.manifest(digest_of(content)) == content
        assert await repository.blob_size(DIGEST) == len(WEIGHTS)
        middle = len(WEIGHTS) // 2
        parts = await asyncio.gather(
            read_range(repository, DIGEST, 0, middle), read_range(repository, DIGEST, middle, len(WEIGHTS))
        )
    assert b"".join(parts) == WEIGHTS
    assert server.asked[-1] == ("", ("repository:team/model:pull",))


async def test_nobody_pushes_without_a_login(
    registry: str, tokens: tuple[TokenServer, str], blobs: BlobStore, manifests: ManifestStore, library: ModelLibrary
) -> None:
    name = await stored(model_at(registry), blobs, manifests)
    async with upstream_to(registry, tokens[1]) as upstream:
        with pytest.raises(UpstreamRefused, match=r"^unauthorized: access denied$"):
            await pushed(name, upstream, blobs, manifests, library)


async def test_a_wrong_password_is_told(registry: str, tokens: tuple[TokenServer, str]) -> None:
    wrong = Credentials(LOGIN.user, Secret("guess"))
    async with (
        upstream_to(registry, tokens[1], credentials={f"http://{registry}": wrong}) as upstream,
        upstream.repository(model_at(registry), insecure=True) as repository,
    ):
        with pytest.raises(UpstreamRefused, match=r"^pull model manifest: unauthorized: access denied$"):
            await repository.manifest()


async def test_an_unknown_model_is_told_in_ollamas_words(registry: str, tokens: tuple[TokenServer, str]) -> None:
    async with (
        upstream_to(registry, tokens[1]) as upstream,
        upstream.repository(model_at(registry), insecure=True) as repository,
    ):
        with pytest.raises(UpstreamUnknown, match=r"^pull model manifest: file does not exist$"):
            await repository.manifest()
        assert not await repository.has_blob(DIGEST)


async def test_a_layer_is_taken_over_from_its_source(
    registry: str, tokens: tuple[TokenServer, str], blobs: BlobStore, manifests: ManifestStore, library: ModelLibrary
) -> None:
    name = await stored(model_at(registry), blobs, manifests)
    told: list[int] = []
    async with upstream_to(registry, tokens[1], credentials={f"http://{registry}": LOGIN}) as upstream:
        await pushed(name, upstream, blobs, manifests, library)
        other = ModelName(registry, "team", "other", "v1")
        async with upstream.repository(other, insecure=True) as repository:
            assert not await repository.has_blob(DIGEST)
            path = blobs.path(DIGEST)
            await repository.upload_blob(DIGEST, path, mount_from="team/model", on_progress=told.append)
            assert await repository.has_blob(DIGEST)
    assert told == [len(WEIGHTS)]


async def test_an_upload_survives_a_broken_connection(tmp_path: Path, blobs: BlobStore) -> None:
    digest, _ = await blobs.commit_bytes(WEIGHTS)
    async with running_docker_registry(tmp_path) as registry, CuttingProxy(registry).running() as proxy:
        async with (
            upstream_to(proxy.address) as upstream,
            upstream.repository(model_at(proxy.address), insecure=True) as repository,
        ):
            proxy.cut_up = PART_BYTES + PART_BYTES // 2
            path = blobs.path(Digest(digest))
            await repository.upload_blob(digest, path, mount_from="", on_progress=lambda _sent: None)
            assert await read_range(repository, digest, 0, len(WEIGHTS)) == WEIGHTS
        assert proxy.cuts_count == 1
