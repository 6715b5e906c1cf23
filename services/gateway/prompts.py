"""From a parsed request and the model's own instructions to the prompt a worker renders. Pure.

Source: Ollama `server/routes.go` (GenerateHandler, ChatHandler).
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway.conversation import Conversation
from services.gateway.dialects.ollama import GenerateCall
from shared.capabilities import Capability
from shared.generation import ChatPrompt, EmbedPrompt, InsertPrompt, LoadOnly, Message, Prompt, RawPrompt, Think
from shared.model_index import ModelEntry

_THOUGHT: Final = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)


def prompt_of_generate(call: GenerateCall, entry: ModelEntry) -> Prompt:
    """[system, the request's or else the model's] + [the model's messages, unless tokens go in front] + [prompt]."""
    if not call.prompt:
        return LoadOnly()
    if call.raw:
        return RawPrompt(text=call.prompt)
    system = call.system or entry.system
    stored = () if call.context else entry.messages
    head = (Message("system", system),) if system else ()
    return ChatPrompt(
        messages=(*head, *stored, Message("user", call.prompt)),
        # A request's own system message in front leaves nothing that all requests begin with.
        model_messages_count=0 if call.system else len(head) + len(stored),
        template=call.template or None,
        model_template=entry.template,
        context=call.context,
    )


def prompt_of_completion(prompt: str | tuple[int, ...], entry: ModelEntry) -> Prompt:
    """What generate makes of a text with nothing beside it; tokens go to the model as they are."""
    if isinstance(prompt, tuple):
        return RawPrompt(token_ids=prompt)
    if not prompt:
        return LoadOnly()
    head = (Message("system", entry.system),) if entry.system else ()
    own = (*head, *entry.messages)
    return ChatPrompt(
        messages=(*own, Message("user", prompt)), model_messages_count=len(own), model_template=entry.template
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
    """Models that can think do so unless told otherwise."""
    return True if asked is None and Capability.THINKING in entry.capabilities else asked


def prompt_tokens_estimate(prompt: Prompt) -> int:
    """Roughly four characters a token; what the fair queue charges until the real count is known."""
    match prompt:
        case ChatPrompt():
            return len(prompt.context) + sum(len(message.content) for message in prompt.messages) // 4
        case InsertPrompt():
            return (len(prompt.before) + len(prompt.after)) // 4
        case RawPrompt():
            return len(prompt.token_ids) + len(prompt.text) // 4
        case EmbedPrompt():
            return sum(len(one) // 4 if isinstance(one, str) else len(one) for one in prompt.inputs)
        case LoadOnly():
            return 0


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
