"""Gateways behind one name: found while nginx runs, skipped when they are gone, and asked once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from integration.nginx.front_door import FrontDoor
from integration.nginx.name_server import running_name_server

REPLICAS = ("127.0.0.1", "127.0.0.2")


class Replica:
    """Takes requests on one port of several addresses, and answers or breaks off."""

    def __init__(self, *, breaks_off: bool) -> None:
        self.asked: list[str] = []
        self._breaks_off = breaks_off

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.append(writer.get_extra_info("sockname")[0])
        if not self._breaks_off:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


@contextlib.asynccontextmanager
async def replicas(*addresses: str, breaks_off: bool = False) -> AsyncIterator[tuple[Replica, int]]:
    """Gives what answers and the port it answers on at all the addresses."""
    replica = Replica(breaks_off=breaks_off)
    async with contextlib.AsyncExitStack() as stack:
        port = 0
        for address in addresses:
            server = await stack.enter_async_context(await asyncio.start_server(replica, address, port))
            port = server.sockets[0].getsockname()[1]
        yield replica, port


async def test_nginx_starts_before_its_services_and_finds_them_when_they_come(tmp_path: Path) -> None:
    door = FrontDoor(tmp_path)
    async with (
        replicas("127.0.0.1") as (_, port),
        running_name_server({}) as (names, resolver),
        door.running(EDGE_RESOLVER=resolver, EDGE_GATEWAY=f"gateway:{port}", EDGE_UI="open-webui:8080"),
        door.client() as http,
    ):
        async with http.get("/v1/models") as response:
            assert (response.status, response.content_type) == (502, "application/json")
        names.addresses["gateway"] = ["127.0.0.1"]
        async with http.get("/v1/models") as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with http.get("/", headers={"Accept": "text/html"}) as response:
            assert (response.status, await response.text()) == (200, "ok")


async def test_all_replicas_of_a_name_are_used(tmp_path: Path) -> None:
    door = FrontDoor(tmp_path)
    async with (
        replicas(*REPLICAS) as (replica, port),
        running_name_server({"gateway": list(REPLICAS)}) as (_, resolver),
        door.running(EDGE_RESOLVER=resolver, EDGE_GATEWAY=f"gateway:{port}"),
        door.client() as http,
    ):
        for _ in range(40):
            async with http.get("/v1/models") as response:
                assert response.status == 200
    assert set(replica.asked) == set(REPLICAS)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_replica_that_is_gone_is_passed_over(tmp_path: Path, method: str) -> None:
    door = FrontDoor(tmp_path)
    async with (
        replicas("127.0.0.1") as (_, port),
        running_name_server({"gateway": list(REPLICAS)}) as (_, resolver),
        door.running(EDGE_RESOLVER=resolver, EDGE_GATEWAY=f"gateway:{port}"),
        door.client() as http,
    ):
        for _ in range(20):
            async with http.request(method, "/v1/models") as response:
                assert response.status == 200
        tried = {line["upstream"] for line in door.access_log()}
    assert any("," in addresses for addresses in tried), "no request met the replica that is gone"


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1)])
async def test_what_was_sent_is_sent_again_only_where_that_does_no_harm(
    tmp_path: Path, method: str, times: int
) -> None:
    door = FrontDoor(tmp_path)
    async with (
        replicas(*REPLICAS, breaks_off=True) as (replica, port),
        running_name_server({"gateway": list(REPLICAS)}) as (_, resolver),
        door.running(EDGE_RESOLVER=resolver, EDGE_GATEWAY=f"gateway:{port}"),
        door.client() as http,
        http.request(method, "/v1/models") as response,
    ):
        assert response.status == 502
    assert len(replica.asked) == times
