"""`POST /v1/audio/transcriptions`: a form with a recording, in OpenAI's dialect."""

from typing import Final

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from services.gateway import capabilities
from services.gateway.capabilities import Asked
from services.gateway.dialects.transcriptions import TranscriptionReply, parse_transcription
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.relay import Relay
from services.gateway.handlers.serving import PRINCIPAL, SERVED
from services.gateway.prompts import prompt_of_chat
from shared.errors import ParameterInvalid, TooLarge

AUDIO_BYTES_MAX: Final = 25 << 20
"""What OpenAI and Ollama accept."""

FIELD_BYTES_MAX: Final = 64 << 10
FIELDS_MAX: Final = 32


class Transcriptions:
    def __init__(self, requests: GenerationRequests, dispatcher: Dispatcher) -> None:
        self._requests = requests
        self._dispatcher = dispatcher

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/audio/transcriptions", self.create)

    async def create(self, request: web.Request) -> web.StreamResponse:
        call = parse_transcription(*await _form(request))
        entry = await self._requests.resolve(call.model, if_empty=ParameterInvalid("model is required"))
        capabilities.check(entry, Asked(audio=True), requested=call.model, verb="chat")
        generation = self._requests.build(
            entry,
            prompt_of_chat(call.conversation, entry),
            request_id=request[SERVED].request_id,
            principal=request[PRINCIPAL],
            options=call.options,
        )
        reply = TranscriptionReply(as_text=call.as_text)
        return await Relay(request, [generation], reply).run(self._dispatcher, stream=call.stream)


async def _form(request: web.Request) -> tuple[dict[str, str], bytes | None]:
    """The texts of the form by name, and its file.

    Raises: ParameterInvalid, TooLarge.
    """
    if request.content_type != "multipart/form-data":
        raise ParameterInvalid("failed to parse multipart form: request Content-Type isn't multipart/form-data")
    fields: dict[str, str] = {}
    audio: bytes | None = None
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if not isinstance(part, BodyPartReader) or len(fields) > FIELDS_MAX:
                raise ParameterInvalid("failed to parse multipart form: it is not a flat list of a few fields")
            if part.name == "file":
                audio = await _read(part, AUDIO_BYTES_MAX)
            else:
                fields[part.name or ""] = (await _read(part, FIELD_BYTES_MAX)).decode(errors="replace")
    except (ValueError, HttpProcessingError) as cause:
        raise ParameterInvalid(f"failed to parse multipart form: {cause}") from cause
    return fields, audio


async def _read(part: BodyPartReader, bytes_max: int) -> bytes:
    if part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "binary").lower() not in ("binary", "8bit", "7bit"):
        raise ParameterInvalid("failed to parse multipart form: its parts must not be encoded")
    body = bytearray()
    while chunk := await part.read_chunk():
        body += chunk
        if len(body) > bytes_max:
            raise TooLarge(f"the form's field {part.name} has more than the {bytes_max} bytes that are accepted")
    return bytes(body)
