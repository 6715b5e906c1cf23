"""From a parsed request and the model's own instructions to the prompt a worker renders. Pure.

Source: Ollama `server/routes.go` (GenerateHandler, ChatHandler).
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway.conversation import Conversation
from services.gateway.dialects.ollama import GenerateCall
from shared.capabilities import GPT_OSS_FAMILIES, Capability
from shared.errors import CapabilityMissing
from shared.generation import ChatPrompt, EmbedPrompt, InsertPrompt, LoadOnly, Message, Prompt, RawPrompt, Think
from shared.model_index import ModelEntry

IMAGE_TOKENS_ESTIMATE: Final = 768
"""Ollama's own guess."""
_THOUGHT: Final = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)


def prompt_of_generate(call: GenerateCall, entry: ModelEntry) -> Prompt:
    """[system, the request's or else the model's] + [the model's messages, unless tokens go in front] + [prompt].

    Raises: CapabilityMissing when there is a gap to fill and no template that shows what follows it.
    """
    if not call.prompt:
        return LoadOnly()
    if call.raw:
        return RawPrompt(text=call.prompt)
    if call.suffix:
        return _insert(call.prompt, call.suffix, call.template or entry.template, entry, think_of(call.think, entry))
    system = call.system or entry.system
    stored = () if call.context else entry.messages
    head = (Message("system", system),) if system else ()
    return ChatPrompt(
        messages=(*head, *stored, Message("user", call.prompt, images=call.images)),
        # A request's own system message in front leaves nothing that all requests begin with.
        model_messages_count=0 if call.system else len(head) + len(stored),
        think=think_of(call.think, entry),
        template=call.template or None,
        model_template=entry.template,
        model_parser=entry.parser,
        context=call.context,
    )


def prompt_of_completion(prompt: str | tuple[int, ...], entry: ModelEntry, *, suffix: str = "") -> Prompt:
    """What generate makes of a text with at most a suffix beside it; tokens go to the model as they are.

    A model that can do without does not think: this dialect has no place for thoughts.
    Raises: CapabilityMissing as in `prompt_of_generate`.
    """
    think = False if Capability.THINKING in entry.capabilities else None
    if isinstance(prompt, tuple):
        return RawPrompt(token_ids=prompt)
    if suffix:
        return _insert(prompt, suffix, entry.template, entry, think)
    if not prompt:
        return LoadOnly()
    head = (Message("system", entry.system),) if entry.system else ()
    own = (*head, *entry.messages)
    return ChatPrompt(
        messages=(*own, Message("user", prompt)),
        model_messages_count=len(own),
        think=think,
        model_template=entry.template,
        model_parser=entry.parser,
    )


def prompt_of_chat(asked: Conversation, entry: ModelEntry) -> Prompt:
    """[the model's system, unless the request begins with one] + [the model's messages] + [the request's]."""
    messages = asked.messages
    if not messages:
        return LoadOnly()
    head = (Message("system", entry.system),) if entry.system and messages[0].role != "system" else ()
    own = (*head, *entry.messages)
    said = _without_old_thoughts(messages) if _thinks_in_content(entry) else messages
    return ChatPrompt(
        messages=(*own, *said),
        model_messages_count=len(own),
        tools=asked.tools,
        forced_tools=asked.forced_tools,
        one_tool_call=asked.one_tool_call,
        think=think_of(asked.think, entry),
        model_template=entry.template,
        model_parser=entry.parser,
    )


def think_of(asked: Think, entry: ModelEntry) -> Think:
    """Models that can think do so unless told otherwise; gpt-oss knows no level above `high`."""
    if asked == "max" and entry.details.family in GPT_OSS_FAMILIES:
        return "high"
    return True if asked is None and Capability.THINKING in entry.capabilities else asked


def shifts(asked: bool | None, entry: ModelEntry) -> bool:
    """Whether a full context loses its older half: unless told otherwise, for all families whose keys can be moved."""
    return entry.details.family != "deepseek2" if asked is None else asked


def prompt_tokens_estimate(prompt: Prompt) -> int:
    """Roughly four characters a token; what the fair queue charges until the real count is known."""
    match prompt:
        case ChatPrompt():
            characters = sum(_characters(message) for message in prompt.messages)
            images_count = sum(len(message.images) for message in prompt.messages)
            tools = len(msgspec.json.encode(prompt.tools)) if prompt.tools else 0
            return len(prompt.context) + (characters + tools) // 4 + images_count * IMAGE_TOKENS_ESTIMATE
        case InsertPrompt():
            return (len(prompt.before) + len(prompt.after)) // 4
        case RawPrompt():
            return len(prompt.token_ids) + len(prompt.text) // 4
        case EmbedPrompt():
            return sum(len(one) // 4 if isinstance(one, str) else len(one) for one in prompt.inputs)
        case LoadOnly():
            return 0


def _characters(message: Message) -> int:
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    return len(message.content) + len(message.thinking) + calls


def _insert(before: str, after: str, template: str | None, entry: ModelEntry, think: Think) -> InsertPrompt:
    if template is None:
        raise CapabilityMissing(f"{entry.name.full} does not support insert")
    return InsertPrompt(before=before, after=after, template=template, think=think)


def _thinks_in_content(entry: ModelEntry) -> bool:
    return entry.details.family == "qwen3" or entry.name.model == "deepseek-r1"


def _without_old_thoughts(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Cut the thinking from assistant messages before the last user message; these models expect it gone."""
    last_user = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    return tuple(
        msgspec.structs.replace(message, content=_THOUGHT.sub("", message.content, count=1))
        if message.role == "assistant" and index < last_user and _THOUGHT.match(message.content)
        else message
        for index, message in enumerate(messages)
    )
