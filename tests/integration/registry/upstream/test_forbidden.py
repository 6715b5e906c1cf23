"""Addresses inside the network are not reached: not by name, not by redirect, not by DNS."""

import socket
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from fakes.foreign_registry import ForeignRegistry, Storage
from integration.registry.upstream.setup import CONNECT_S, PART_BYTES, STALL_S, model_at, read_range, repository_at
from services.registry.upstream.client import Upstream, UpstreamLimits
from services.registry.upstream.policy import parse_upstream_hosts
from shared.digest import digest_of
from shared.errors import UpstreamFailed, UpstreamForbidden

DIGEST = digest_of(b"weights")


class Names(AbstractResolver):
    """Every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None: ...


def named_upstream(*hosts: str) -> Upstream:
    limits = UpstreamLimits(connect_s=CONNECT_S, stall_s=STALL_S, part_bytes=PART_BYTES)
    return Upstream(parse_upstream_hosts(",".join(hosts)), limits, credentials={}, key=None, resolver=Names())


async def test_a_registry_that_is_not_listed_is_not_asked(foreign: ForeignRegistry, host: str) -> None:
    async with named_upstream("registry.example") as upstream:
        with pytest.raises(UpstreamForbidden, match=f'"{host}" is not among the registries'):
            async with upstream.repository(model_at(host), insecure=True):
                pass
    assert foreign.seen == []


async def test_a_listed_name_may_be_inside(foreign: ForeignRegistry, host: str) -> None:
    foreign.manifests["v1"] = b"{}"
    name = f"registry.example:{host.split(':')[1]}"
    async with repository_at(name, named_upstream(name)) as repository:
        assert await repository.manifest() == b"{}"


async def test_a_redirect_to_an_address_inside_is_not_followed(
    foreign: ForeignRegistry, host: str, storage: Storage
) -> None:
    foreign.blobs[DIGEST] = b"weights"
    async with repository_at(host) as repository:
        with pytest.raises(UpstreamForbidden):
            await read_range(repository, DIGEST, 0, 7)
    assert storage.seen == []


async def test_a_redirect_to_a_name_that_is_inside_is_not_followed(
    foreign: ForeignRegistry, host: str, storage: Storage
) -> None:
    foreign.blobs[DIGEST] = b"weights"
    storage.url = storage.url.replace("127.0.0.1", "cdn.example")
    async with repository_at(host, named_upstream(host)) as repository:
        with pytest.raises(UpstreamForbidden, match=r'"cdn\.example" is at an address inside the network'):
            await read_range(repository, DIGEST, 0, 7)
    assert storage.seen == []


@pytest.mark.parametrize("realm", ["http://127.0.0.1:1/token", "http://auth.example/token", "http://127.1/token"])
async def test_a_token_is_not_asked_for_inside(foreign: ForeignRegistry, host: str, realm: str) -> None:
    foreign.realm = realm
    async with repository_at(host, named_upstream(host)) as repository:
        with pytest.raises(UpstreamForbidden):
            await repository.manifest()


async def test_an_upload_is_not_sent_inside(foreign: ForeignRegistry, host: str) -> None:
    async def elsewhere(_request: web.Request) -> web.Response:
        return web.Response(status=202, headers={"Location": "http://127.0.0.1:1/upload"})

    app = web.Application()
    app.router.add_post("/v2/team/model/blobs/uploads/", elsewhere)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        async with repository_at(f"127.0.0.1:{server.port}") as repository:
            with pytest.raises(UpstreamForbidden):
                await repository.upload_blob(DIGEST, Path(__file__), mount_from="", on_progress=lambda _sent: None)
    finally:
        await server.close()


async def test_redirects_come_to_an_end() -> None:
    visits = 0

    async def again(request: web.Request) -> web.Response:
        nonlocal visits
        visits += 1
        return web.Response(status=307, headers={"Location": request.path})

    app = web.Application()
    app.router.add_get("/{path:.*}", again)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        async with repository_at(f"127.0.0.1:{server.port}") as repository:
            with pytest.raises(UpstreamFailed, match="stopped after 10 redirects"):
                await repository.manifest()
    finally:
        await server.close()
    assert visits == 11
