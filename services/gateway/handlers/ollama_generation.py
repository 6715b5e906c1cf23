"""`POST /api/generate` and `POST /api/chat`: generate, load and unload in Ollama's dialect."""

import msgspec
from aiohttp import hdrs, web

from services.gateway import capabilities
from services.gateway.conversation import Conversation
from services.gateway.dialects import ollama
from services.gateway.dialects.ollama_reply import (
    OllamaReply,
    chat_reply,
    generate_reply,
    rendered_chat_reply,
    rendered_generate_reply,
)
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.relay import Relay
from services.gateway.handlers.serving import PRINCIPAL, SERVED, read_body
from services.gateway.prompts import prompt_of_chat, prompt_of_generate, shifts
from services.gateway.unloading import Unloader
from shared.errors import ModelUnknown, ParameterInvalid
from shared.generation import DoneReason, LoadOnly, Prompt
from shared.model_index import ModelEntry


class OllamaGeneration:
    def __init__(self, requests: GenerationRequests, dispatcher: Dispatcher, unloader: Unloader) -> None:
        self._requests = requests
        self._dispatcher = dispatcher
        self._unloader = unloader

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/api/generate", self.generate)
        app.router.add_post("/api/chat", self.chat)

    async def generate(self, request: web.Request) -> web.StreamResponse:
        call = ollama.parse_generate(await read_body(request))
        entry = await self._requests.resolve(call.model, if_empty=ModelUnknown("model '' not found"))
        reply = generate_reply(call.model)
        if not call.prompt and call.unloads:
            return await self._unload(request, entry, reply)
        ollama.check_combination(call)
        capabilities.check(entry, call.asked, requested=call.model, verb="generate")
        prompt = prompt_of_generate(call, entry)
        if call.render_only:
            reply = rendered_generate_reply(call.model, images_count=len(call.images))
        return await self._run(request, call, entry, prompt, reply, want_context=not call.raw)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        call = ollama.parse_chat(await read_body(request))
        entry = await self._requests.resolve(call.model, if_empty=ParameterInvalid("model is required"))
        reply = chat_reply(call.model)
        if not call.messages and call.unloads:
            return await self._unload(request, entry, reply)
        capabilities.check(entry, call.asked, requested=call.model, verb="chat")
        prompt = prompt_of_chat(Conversation(messages=call.messages, tools=call.tools, think=call.think), entry)
        if call.render_only:
            images_count = sum(len(message.images) for message in call.messages)
            reply = rendered_chat_reply(call.model, images_count=images_count)
        return await self._run(request, call, entry, prompt, reply, want_context=False)

    async def _run(
        self,
        request: web.Request,
        call: ollama.OllamaCall,
        entry: ModelEntry,
        prompt: Prompt,
        reply: OllamaReply,
        *,
        want_context: bool,
    ) -> web.StreamResponse:
        generation = self._requests.build(
            entry,
            prompt,
            request_id=request[SERVED].request_id,
            principal=request[PRINCIPAL],
            options=call.options,
            sampling=call.sampling,
            keep_alive_s=call.keep_alive_s,
            truncate=call.truncate,
            shift=shifts(call.shift, entry),
            want_context=want_context,
        )
        if call.render_only:
            generation = msgspec.structs.replace(generation, count_only=True, render_only=True)
        # A load or a prompt is answered by one object even when streaming was asked for.
        stream = call.stream and not call.render_only and not isinstance(prompt, LoadOnly)
        return await Relay(request, [generation], reply).run(self._dispatcher, stream=stream)

    async def _unload(self, request: web.Request, entry: ModelEntry, reply: OllamaReply) -> web.Response:
        request[SERVED].model = entry.name.full
        await self._unloader.unload(entry.weights)
        body = reply.without_generation(DoneReason.UNLOAD)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: reply.whole_content_type})
