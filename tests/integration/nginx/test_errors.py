"""What clients see when a service fails: nginx's own words in JSON, a service's words untouched."""

from pathlib import Path

from aiohttp import web

from integration.gateway.setup import listening
from integration.nginx.front_door import FrontDoor


async def test_a_gateway_that_is_gone_is_an_error_in_json(tmp_path: Path) -> None:
    door = FrontDoor(tmp_path)
    async with door.running(), door.client() as http, http.get("/api/tags") as response:
        assert (response.status, response.headers["Retry-After"]) == (502, "1")
        assert "cannot be reached" in (await response.json())["error"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_replies_of_a_service_pass_as_they_are(tmp_path: Path) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"mine": 1}, status=429, headers={"Retry-After": "7", "X-Frame-Options": "deny"})

    app = web.Application()
    app.router.add_get("/{tail:.*}", refuse)
    door = FrontDoor(tmp_path)
    async with (
        listening(app) as url,
        door.running(EDGE_GATEWAY=url.removeprefix("http://")),
        door.client() as http,
        http.get("/v1/models") as response,
    ):
        assert (response.status, await response.json()) == (429, {"mine": 1})
        assert response.headers.getall("Retry-After") == ["7"]
        assert response.headers.getall("X-Frame-Options") == ["SAMEORIGIN"]
