"""`/v2/`: the registry protocol for laptops and registry tools, behind the gateway's keys."""

from collections.abc import Sequence
from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from services.gateway.access import Principal
from services.gateway.dialects import oci
from services.gateway.handlers.forwarding import Forwarder, pass_back, passed_back
from services.gateway.handlers.serving import PRINCIPAL, SERVED
from services.gateway.public_address import Address, address_of
from services.gateway.redis_guard import redis_guard
from services.gateway.registry_access import RegistryAccess, RegistryCall, TokenCall

ROUTE: Final = "/v2/{tail}"
"""The pattern under which `need_of`, logs and metrics know every other path of the protocol."""

TOKEN_ROUTE: Final = "/v2/token"  # noqa: S105  a path
_URL_TOKEN: Final = "token"  # noqa: S105  a parameter's name


class Distribution:
    def __init__(
        self, access: RegistryAccess, forwarder: Forwarder, *, public_urls: Sequence[str], redis_wait_s: float
    ) -> None:
        self._access = access
        self._forwarder = forwarder
        self._public_urls = public_urls
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("*", TOKEN_ROUTE, self.token)
        app.router.add_route("*", "/v2/{tail:.*}", self.pass_on)

    async def admit(self, request: web.Request) -> Principal:
        """Who may make this request.

        Raises: Challenged, Forbidden, ModelNameInvalid, ParameterInvalid.
        """
        call = RegistryCall(
            method=request.method,
            target=oci.parse_path(request.path),
            address=self._address(request),
            headers=request.headers,
            url_token=request.query.get(_URL_TOKEN, ""),
        )
        async with redis_guard(self._redis_wait_s):
            return await self._access.admit(call)

    async def token(self, request: web.Request) -> web.Response:
        """A token for a key or a signature, as docker's and Ollama's clients ask for it."""
        if request.method != hdrs.METH_GET:
            raise web.HTTPMethodNotAllowed(request.method, [hdrs.METH_GET])
        call = TokenCall(
            address=self._address(request),
            path_and_query=request.raw_path,
            headers=request.headers,
            scopes=request.query.getall("scope", []),
            ts=request.query.get("ts", ""),
            nonce=request.query.get("nonce", ""),
        )
        async with redis_guard(self._redis_wait_s):
            token = await self._access.token(call)
        body = {"token": token, "access_token": token, "expires_in": round(self._access.token_life_s)}
        return web.json_response(body, headers={hdrs.CACHE_CONTROL: "no-store"})

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """The registry's own answer. A blob read in full also tells the address at which its ranges need no key."""
        target = oci.parse_path(request.path)
        request[SERVED].model = target.repository or None
        address = self._address(request)
        query = request.rel_url.without_query_params(_URL_TOKEN) if target.blob else request.rel_url
        path_and_query = target.path + (f"?{query.raw_query_string}" if query.raw_query_string else "")
        body = request.content.iter_any() if request.can_read_body else None
        added = {"X-Forwarded-Proto": address.scheme, "X-Forwarded-Host": address.authority}
        async with self._forwarder.asked(request, path_and_query, body, added=added) as upstream:
            headers = passed_back(upstream.headers.items())
            if request.method == hdrs.METH_GET and target.blob and upstream.status == 200:
                await self._name_open_url(request, target, headers)
            return await pass_back(request, upstream, headers)

    async def _name_open_url(self, request: web.Request, target: oci.Target, headers: CIMultiDict[str]) -> None:
        """A token that came with the request is not renewed: else an address once seen would stay open for ever."""
        if _URL_TOKEN in request.query:
            return
        async with redis_guard(self._redis_wait_s):
            token = await self._access.blob_token(request[PRINCIPAL], target.blob)
        if token is not None:
            headers[hdrs.LOCATION] = f"{target.path}?{_URL_TOKEN}={token}"

    def _address(self, request: web.Request) -> Address:
        """Raises: ParameterInvalid."""
        name = None if request.transport is None else request.transport.get_extra_info("sockname")
        listening = (name[0], name[1]) if isinstance(name, tuple) else None
        return address_of(request.host, scheme=request.scheme, listening=listening, public_urls=self._public_urls)
