"""`POST /v1/chat/completions`: OpenAI's dialect."""

import time

from aiohttp import web

from services.gateway import capabilities
from services.gateway.dialects import openai
from services.gateway.dialects.openai_reply import OpenAiReply
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.relay import Relay
from services.gateway.handlers.serving import PRINCIPAL, SERVED, read_body
from services.gateway.prompts import prompt_of_chat
from shared.errors import ParameterInvalid


class OpenAiChat:
    def __init__(self, requests: GenerationRequests, dispatcher: Dispatcher) -> None:
        self._requests = requests
        self._dispatcher = dispatcher

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/chat/completions", self.complete)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        call = openai.parse_chat(await read_body(request))
        entry = await self._requests.resolve(call.model, if_empty=ParameterInvalid("model is required"))
        refused = capabilities.refusal(entry, call.asked, requested=call.model, verb="chat")
        if refused is not None:
            raise refused
        request_id = request[SERVED].request_id
        generation = self._requests.build(
            entry,
            prompt_of_chat(call.messages, entry),
            request_id=request_id,
            principal=request[PRINCIPAL],
            options=call.options,
        )
        reply = OpenAiReply(
            call.model,
            completion_id=f"chatcmpl-{request_id}",
            created_unix_s=int(time.time()),
            include_usage=call.include_usage,
        )
        return await Relay(request, generation, reply).run(self._dispatcher, stream=call.stream)
