"""Routes that list: is this a registry, which repositories has it, which tags have they."""

from aiohttp import hdrs, web

from services.registry.distribution.dialect import Code, Refusal
from services.registry.distribution.names import PAGE_MAX, Page, page, parse_repository, repository_path
from services.registry.distribution.repositories import Repositories


class CatalogueHandlers:
    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v2/", self.version)
        app.router.add_get("/v2", self.version)
        app.router.add_get("/v2/_catalog", self.catalogue)
        app.router.add_get("/v2/{repository:.+}/tags/list", self.tags)

    async def version(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def catalogue(self, request: web.Request) -> web.Response:
        paths = {repository_path(name) for name in await self._repositories.names()}
        shown = _page(request, sorted(paths))
        return web.json_response({"repositories": shown.names}, headers=_link(request, shown))

    async def tags(self, request: web.Request) -> web.Response:
        path = request.match_info["repository"]
        manifests = await self._repositories.manifests(parse_repository(path))
        if not manifests:
            raise Refusal(404, Code.NAME_UNKNOWN, f"repository {path} is not known to this registry")
        shown = _page(request, [stored.name.tag for stored in manifests])
        return web.json_response({"name": path, "tags": shown.names}, headers=_link(request, shown))


def _page(request: web.Request, names: list[str]) -> Page:
    count = request.query.get("n", str(PAGE_MAX))
    if not count.isascii() or not count.isdecimal():
        raise Refusal(400, Code.PAGINATION_NUMBER_INVALID, "n is not a number of names", detail={"n": count})
    return page(names, count=int(count[:9]), last=request.query.get("last", ""))


def _link(request: web.Request, shown: Page) -> dict[str, str]:
    return {hdrs.LINK: f'<{request.rel_url.path}?{shown.next_query}>; rel="next"'} if shown.next_query else {}
