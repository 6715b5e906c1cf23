"""The one way from a conversation to the text a model reads: by its own Go template or its file's Jinja template.

Text only: tokens, and whether a leading BOS is added, are the caller's business.
"""

from typing import Final

import msgspec

from services.worker.chat_template.images import check_markers, with_markers
from services.worker.chat_template.jinja import render_jinja
from services.worker.chat_template.ollama_template import DEFAULT_TEMPLATE, render_ollama_insert, render_ollama_template
from services.worker.chat_template.tool_calls import with_result_names
from shared.errors import ParameterInvalid, TemplateFailed
from shared.generation import ChatPrompt, InsertPrompt, Message

_PROBES: Final = ("a", "b")
"""Two user messages whose renderings part exactly where a user's words begin."""


def render(prompt: ChatPrompt, *, jinja_source: str | None, bos_token: str, eos_token: str) -> str:
    """The prompt's messages as the model expects them, ending where its answer begins.

    The request's own Go template comes first, then the model's, then the Jinja template of the model's file; a model
    with none gets the bare text, as from Ollama's default template `{{ .Prompt }}`. Each image is an `IMAGE_MARKER`.
    Raises: TemplateFailed when the template is broken or does too much, ParameterInvalid when a Jinja template is
        broken or refuses the conversation, a call's arguments are no JSON object, or the template hides an image.
    """
    marked = with_markers(prompt)
    messages = with_result_names(marked.messages)
    go_template = _go_template(prompt)
    if go_template is None and jinja_source is not None:
        text = render_jinja(
            jinja_source, messages, bos_token=bos_token, eos_token=eos_token, tools=marked.tools, think=prompt.think
        )
    else:
        template = DEFAULT_TEMPLATE if go_template is None else go_template
        text = render_ollama_template(template, messages, marked.tools, prompt.think)
    check_markers(text, prompt.messages)
    return text


def template_of(prompt: ChatPrompt, *, jinja_source: str | None) -> str:
    """The text of the template that `render` uses."""
    return next(text for text in (_go_template(prompt), jinja_source, DEFAULT_TEMPLATE) if text is not None)


def _go_template(prompt: ChatPrompt) -> str | None:
    return prompt.model_template if prompt.template is None else prompt.template


def render_insert(prompt: InsertPrompt) -> str:
    """What stands around a gap, as the model expects it when it is to fill the gap.

    Raises: TemplateFailed.
    """
    return render_ollama_insert(prompt.template, prompt)


def shared_prefix(
    prompt: ChatPrompt, rendered: str, *, jinja_source: str | None, bos_token: str, eos_token: str
) -> str:
    """How much of `rendered` may be cached for every tenant, because the model alone determines it.

    That is what two conversations have in common which differ in the user's words only, as far as `rendered` agrees:
    always a prefix of one text that depends on the model, and on whether it is to think, and not on the request's
    words, tools or images. A template that came with the request shares nothing, unless it is the model's.
    """
    if prompt.template is not None and prompt.template != prompt.model_template:
        return ""
    common = ChatPrompt(
        messages=prompt.messages[: prompt.model_messages_count],
        think=None if prompt.think is None else bool(prompt.think),
        model_template=prompt.model_template,
    )
    try:
        renderings = [
            render(
                msgspec.structs.replace(common, messages=(*common.messages, Message(role="user", content=word))),
                jinja_source=jinja_source,
                bos_token=bos_token,
                eos_token=eos_token,
            )
            for word in _PROBES
        ]
    except (ParameterInvalid, TemplateFailed):
        return ""  # the model's own messages allow no user message next, so this conversation is no common one
    return _common_beginning(_common_beginning(*renderings), rendered)


def _common_beginning(left: str, right: str) -> str:
    for position, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return left[:position]
    return min(left, right, key=len)
