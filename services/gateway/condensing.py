"""How a conversation that nears the end of its context is made shorter with a summary of its older turns. Pure.

    | the model's own messages | older turns | an assistant's message and all that follows it |
                                    ↓
                          a user's message with their summary
System messages always stay. What is kept begins with an assistant's message, so that roles still take turns: some
templates insist on that.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from shared.digest import Digest
from shared.generation import ChatPrompt, Message

FULL_SHARE: Final = 0.8
"""A conversation with more tokens than this share of its context is condensed."""
KEPT_SHARE: Final = 0.5
"""So much of the context the turns that stay as they are may fill."""
PORTION_SHARE: Final = 0.5
"""So much of the context the turns may fill that one summary takes in."""
SUMMARY_SHARE: Final = 0.125
"""So much of the context a summary may fill."""

_CLERK: Final = "You write short, exact summaries of conversations between a user and an assistant."
_TASK: Final = (
    "Summarize this conversation for the assistant, who will not see it again. Keep names, numbers, wishes, decisions "
    "and open questions. Write only the summary."
)
_BEFORE: Final = "Summary of what came before:"
_HEADING: Final = "Summary of our conversation so far:"

_encode = msgspec.msgpack.Encoder().encode


class Size(msgspec.Struct, frozen=True):
    """Tokens of a prompt, and of the context for it and its answer."""

    prompt_tokens: int
    context_tokens: int

    @property
    def is_full(self) -> bool:
        return self.prompt_tokens > FULL_SHARE * self.context_tokens


def cuts(prompt: ChatPrompt) -> list[int]:
    """The places, ascending, before which everything may be summarized."""
    said = [
        index
        for index, message in enumerate(prompt.messages)
        if index >= prompt.model_messages_count and message.role != "system"
    ]
    return [index for index in said[1:] if prompt.messages[index].role == "assistant"]


def chosen_cut(prompt: ChatPrompt, size: Size) -> int | None:
    """The first place behind which little enough is left; None when even the last one leaves too much."""
    before = _tokens_before(prompt, size)
    return next((cut for cut in cuts(prompt) if before[-1] - before[cut] <= KEPT_SHARE * size.context_tokens), None)


def portions(prompt: ChatPrompt, size: Size, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The messages from `begin` to `end` in parts that one summary can take in, each of one message at least."""
    before = _tokens_before(prompt, size)
    start = begin
    for index in range(begin, end):
        if index > start and before[index + 1] - before[start] > PORTION_SHARE * size.context_tokens:
            yield start, index
            start = index
    if start < end:
        yield start, end


def _tokens_before(prompt: ChatPrompt, size: Size) -> list[float]:
    """About how many tokens stand before every message and, last, there are in all, by their share of the characters.

    Every message is told once only, for there may be thousands.
    """
    ends = list(itertools.accumulate((len(_told(message)) + 1 for message in prompt.messages), initial=0))
    return [size.prompt_tokens * end / ends[-1] for end in ends]


def summary_tokens_max(context_tokens: int) -> int:
    return max(1, round(SUMMARY_SHARE * context_tokens))


def summary_request(prompt: ChatPrompt, before: str, begin: int, end: int) -> ChatPrompt:
    """What asks for a summary of these messages and of what `before` already sums up."""
    said = [_told(message) for message in prompt.messages[begin:end] if message.role != "system"]
    parts = [*([f"{_BEFORE}\n{before}"] if before else []), "\n\n".join(said), _TASK]
    return ChatPrompt(
        messages=(Message("system", _CLERK), Message("user", "\n\n".join(parts))),
        think=False,
        model_template=prompt.model_template,
        model_parser=prompt.model_parser,
    )


def condensed(prompt: ChatPrompt, summary: str, cut: int) -> ChatPrompt:
    """The conversation with a summary in place of what was said before `cut`."""
    own = prompt.messages[: prompt.model_messages_count]
    orders = [one for one in prompt.messages[prompt.model_messages_count : cut] if one.role == "system"]
    told = Message("user", f"{_HEADING}\n{summary}")
    return msgspec.structs.replace(prompt, messages=(*own, *orders, told, *prompt.messages[cut:]))


def summarized_count(prompt: ChatPrompt, cut: int) -> int:
    """How many messages a summary stands for."""
    return sum(1 for message in prompt.messages[prompt.model_messages_count : cut] if message.role != "system")


def fingerprints(prompt: ChatPrompt, *, weights: Digest, tenant: str) -> list[str]:
    """For every number of messages in front, by which name their summary by this model is known to this tenant."""
    digest = hashlib.sha256(_encode((weights, tenant)))
    names = [digest.hexdigest()]
    for message in prompt.messages:
        body = _encode(message)
        digest.update(b"%d:%b" % (len(body), body))
        names.append(digest.hexdigest())
    return names


def _told(message: Message) -> str:
    calls: Sequence[str] = [f"[calls {call.name} {call.arguments}]" for call in message.tool_calls]
    images = ["[image]"] * len(message.images)
    return f"{message.role}: " + " ".join(part for part in (message.content, *calls, *images) if part)
