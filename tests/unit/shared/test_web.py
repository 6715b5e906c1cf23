"""What the ops routes say, before and while a service stops."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.web import DRAIN, add_ops_routes


class Service:
    def __init__(self) -> None:
        self.problem: str | None = None
        self.app = web.Application()
        add_ops_routes(self.app, lambda: self.problem)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def http(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    async with TestServer(service.app) as server, aiohttp.ClientSession(server.make_url("/")) as http:
        yield http


async def said(http: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with http.get(path) as response:
        return response.status, await response.text()


async def test_a_service_is_alive_whether_or_not_it_is_ready(service: Service, http: aiohttp.ClientSession) -> None:
    assert await said(http, "/readyz") == (200, "ready")
    service.problem = "Redis cannot be reached"
    assert await said(http, "/readyz") == (503, "Redis cannot be reached")
    assert await said(http, "/healthz") == (200, "ok")


async def test_a_service_that_drains_says_so_as_long_as_its_steps_take(
    service: Service, http: aiohttp.ClientSession
) -> None:
    drain, may_end = service.app[DRAIN], asyncio.Event()
    taken: list[str] = []

    async def first() -> None:
        taken.append("first")

    async def second() -> None:
        await may_end.wait()
        taken.append("second")

    drain.steps += [first, second]
    draining = asyncio.create_task(drain.run())
    await asyncio.sleep(0)
    service.problem = "another reason"
    assert await said(http, "/readyz") == (503, "draining")
    assert await said(http, "/healthz") == (200, "ok")
    assert taken == ["first"]
    may_end.set()
    await draining
    assert taken == ["first", "second"]
