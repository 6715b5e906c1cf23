"""`POST /v1/completions`: OpenAI's older dialect, for prompts instead of conversations."""

import time

from aiohttp import web

from services.gateway import capabilities
from services.gateway.choices import check_count, check_size, spread
from services.gateway.dialects import openai_completions
from services.gateway.dialects.openai_choices import Completion
from services.gateway.dialects.openai_completions_reply import CompletionReply
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.relay import Relay
from services.gateway.handlers.serving import PRINCIPAL, SERVED, read_body
from services.gateway.prompts import prompt_of_completion
from shared.errors import ModelUnknown


class OpenAiCompletions:
    def __init__(self, requests: GenerationRequests, dispatcher: Dispatcher, *, choices_max: int) -> None:
        self._requests = requests
        self._dispatcher = dispatcher
        self._choices_max = choices_max

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/completions", self.complete)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        call = openai_completions.parse_completion(await read_body(request))
        entry = await self._requests.resolve(call.model, if_empty=ModelUnknown("model '' not found"))
        capabilities.check(entry, call.asked, requested=call.model, verb="generate")
        check_count(len(call.prompts), call.choices_per_prompt, choices_max=self._choices_max)
        prompts = [prompt_of_completion(prompt, entry, suffix=call.suffix) for prompt in call.prompts]
        check_size(prompts, call.choices_per_prompt, body_bytes_max=request.client_max_size)
        generation = self._requests.build(
            entry,
            prompts[0],
            request_id=request[SERVED].request_id,
            principal=request[PRINCIPAL],
            options=call.options,
            sampling=call.sampling,
            keep_alive_s=call.keep_alive_s,
        )
        completion = Completion(
            model=call.model,
            completion_id=f"cmpl-{generation.request_id}",
            created_unix_s=int(time.time()),
            include_usage=call.include_usage,
            prompts_count=len(prompts),
            choices_per_prompt=call.choices_per_prompt,
        )
        generations = spread(generation, prompts, choices_per_prompt=call.choices_per_prompt)
        reply = CompletionReply(completion, echoes=call.echoes)
        return await Relay(request, generations, reply).run(self._dispatcher, stream=call.stream)
