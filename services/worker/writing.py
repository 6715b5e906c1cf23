"""From a request to what a runner computes, and to the parser of what comes back. Pure."""

from typing import NamedTuple

import msgspec

from services.worker.chat_template.render import render, render_insert, shared_prefix, template_of
from services.worker.engine.sequence import NewSequence
from services.worker.output.parser import OutputParser, PlainText
from services.worker.output.reading import reading_of
from services.worker.runner.messages import Opened
from shared.generation import ChatPrompt, GenerationRequest, InsertPrompt, RawPrompt, TextPrompt


class Written(NamedTuple):
    sequence: NewSequence
    parser: OutputParser


def write(sequence_id: int, request: GenerationRequest, prompt: TextPrompt, opened: Opened) -> Written:
    """The sequence for `prompt`, which may be shorter than the request's own.

    Raises: TemplateFailed, TemplateInvalid, ParameterInvalid.
    """
    plain = NewSequence(
        sequence_id=sequence_id,
        prompt="",
        tenant=request.tenant,
        options=request.options,
        sampling=request.sampling,
        count_only=request.count_only,
        shifts=request.shift,
    )
    match prompt:
        case RawPrompt(text=text, token_ids=tokens):
            return Written(msgspec.structs.replace(plain, prompt=text, context=tokens), PlainText())
        case InsertPrompt():
            return Written(msgspec.structs.replace(plain, prompt=render_insert(prompt)), PlainText())
    return _conversation(plain, prompt, opened)


def _conversation(plain: NewSequence, prompt: ChatPrompt, opened: Opened) -> Written:
    source, bos, eos = opened.chat_template, opened.bos_text, opened.eos_text
    text = render(prompt, jinja_source=source, bos_token=bos, eos_token=eos)
    reading = reading_of(
        prompt, text, template=template_of(prompt, jinja_source=source), json_schema=plain.sampling.json_schema
    )
    sequence = msgspec.structs.replace(
        plain,
        prompt=text + reading.prompt_suffix,
        images=tuple(image for message in prompt.messages for image in message.images),
        context=prompt.context,
        shared_prefix=shared_prefix(prompt, text, jinja_source=source, bos_token=bos, eos_token=eos),
        sampling=msgspec.structs.replace(plain.sampling, json_schema=reading.json_schema),
        markers=reading.markers,
        constrain_after=reading.constrain_after,
    )
    # A prompt that is only counted has no answer to read.
    return Written(sequence, PlainText() if plain.count_only else reading.parser)
