"""`GET /v1/models` and `/v1/models/{model}`: the models in OpenAI's words, or in Anthropic's for its clients."""

from aiohttp import web

from services.gateway.dialects import anthropic_models
from services.gateway.dialects.openai_reply import model_list, model_object
from services.gateway.handlers.serving import is_anthropic
from services.gateway.redis_guard import redis_guard
from shared.errors import ModelUnknown
from shared.local_names import CLOUD_DETAILS, parse_local_name
from shared.model_index import ModelIndex


class V1Models:
    def __init__(self, index: ModelIndex, *, redis_wait_s: float) -> None:
        self._index = index
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/models", self.all)
        app.router.add_get("/v1/models/{model:.+}", self.one)  # a name may hold slashes

    async def all(self, request: web.Request) -> web.Response:
        async with redis_guard(self._redis_wait_s):
            entries = await self._index.all()
        if is_anthropic(request):
            return web.json_response(anthropic_models.model_page(entries, anthropic_models.read_page(request.query)))
        return web.json_response(model_list(entries))

    async def one(self, request: web.Request) -> web.Response:
        requested = request.match_info["model"]
        name = parse_local_name(requested, operation=CLOUD_DETAILS)
        async with redis_guard(self._redis_wait_s):
            entry = await self._index.find(name)
        if entry is None:
            raise ModelUnknown(f"model '{name.short}' not found")
        if is_anthropic(request):
            return web.json_response(anthropic_models.model_object(requested, entry))
        return web.json_response(model_object(requested, entry))
