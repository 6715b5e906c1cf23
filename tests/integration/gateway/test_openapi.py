"""The served description against the served routes."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from integration.gateway.setup import settings
from services.gateway.app import gateway
from services.gateway.openapi.routes import ROUTES

Served = tuple[str, str]


@pytest.fixture
async def app(redis_url: str) -> AsyncIterator[web.Application]:
    async with gateway(settings(redis_url)) as app:
        yield app


def served_routes(app: web.Application) -> dict[Served, re.Pattern[str]]:
    """Method and pattern of every route, and what its paths look like."""
    routes: dict[Served, re.Pattern[str]] = {}
    for route in app.router.routes():
        assert route.resource is not None
        info = route.resource.get_info()
        pattern = info.get("pattern") or re.compile(re.escape(info["path"]))
        routes[route.method, route.resource.canonical] = pattern
    return routes


def answering(method: str, path: str, routes: dict[Served, re.Pattern[str]]) -> Served | None:
    """The first route that takes such a request, as the router looks for it."""
    sample = re.sub(r"\{\w+\}", "sample", path)
    for (served_method, canonical), pattern in routes.items():
        if served_method in (method, "*") and pattern.fullmatch(sample):
            return served_method, canonical
    return None


def test_every_route_is_described_and_every_description_is_served(app: web.Application) -> None:
    routes = served_routes(app)
    found = {f"{one.method} {one.path}": answering(one.method, one.path, routes) for one in ROUTES}
    assert [name for name, route in found.items() if route is None] == [], "described, but not served"
    assert set(routes) - set(found.values()) == set(), "served, but not described"


async def test_the_description_is_open_and_is_sent_once(gateway_url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{gateway_url}/openapi.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        etag = response.headers["ETag"]
        assert (await response.json())["openapi"] == "3.1.0"
    for known in (etag, f'"other", {etag}', "*"):
        async with http.get(f"{gateway_url}/openapi.json", headers={"If-None-Match": known}) as response:
            assert (response.status, await response.read()) == (304, b"")
    async with http.get(f"{gateway_url}/openapi.json", headers={"If-None-Match": '"other"'}) as response:
        assert response.status == 200
