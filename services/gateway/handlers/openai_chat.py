"""`POST /v1/chat/completions`: OpenAI's dialect."""

import time

from aiohttp import web

from services.gateway import capabilities
from services.gateway.choices import check_count, check_size, spread
from services.gateway.dialects import openai
from services.gateway.dialects.openai_choices import Completion
from services.gateway.dialects.openai_reply import OpenAiReply
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.relay import Relay
from services.gateway.handlers.serving import PRINCIPAL, SERVED, read_body
from services.gateway.prompts import prompt_of_chat
from shared.errors import ParameterInvalid


class OpenAiChat:
    def __init__(self, requests: GenerationRequests, dispatcher: Dispatcher, *, choices_max: int) -> None:
        self._requests = requests
        self._dispatcher = dispatcher
        self._choices_max = choices_max

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/chat/completions", self.complete)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        call = openai.parse_chat(await read_body(request))
        entry = await self._requests.resolve(call.model, if_empty=ParameterInvalid("model is required"))
        capabilities.check(entry, call.asked, requested=call.model, verb="chat")
        check_count(1, call.choices_count, choices_max=self._choices_max)
        prompt = prompt_of_chat(call.conversation, entry)
        check_size([prompt], call.choices_count, body_bytes_max=request.client_max_size)
        generation = self._requests.build(
            entry,
            prompt,
            request_id=request[SERVED].request_id,
            principal=request[PRINCIPAL],
            options=call.options,
            sampling=call.sampling,
            keep_alive_s=call.keep_alive_s,
        )
        completion = Completion(
            model=call.model,
            completion_id=f"chatcmpl-{generation.request_id}",
            created_unix_s=int(time.time()),
            include_usage=call.include_usage,
            choices_per_prompt=call.choices_count,
        )
        generations = spread(generation, [prompt], choices_per_prompt=call.choices_count)
        reply = OpenAiReply(completion, calls_functions=call.calls_functions)
        return await Relay(request, generations, reply).run(self._dispatcher, stream=call.stream)
