"""`GET /api/cluster`: the parts of the cluster and what they say of themselves; for admins only."""

import msgspec
from aiohttp import web

from services.gateway.cluster_facts import ClusterFacts


class Cluster:
    def __init__(self, facts: ClusterFacts) -> None:
        self._facts = facts

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/cluster", self.report, allow_head=False)

    async def report(self, _request: web.Request) -> web.Response:
        return web.json_response(body=msgspec.json.encode(await self._facts.gather()))
