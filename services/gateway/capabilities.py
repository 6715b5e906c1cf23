"""What a request asks of a model beyond plain text, and whether it can be served. Pure.

Nothing that was asked for is ever dropped without a word: it is served or refused.
"""

import msgspec

from shared.errors import CapabilityMissing, CorralError, ParameterInvalid
from shared.model_index import ModelEntry


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Features a request uses. `unserved` names fields that no model here can honour yet."""

    insert: bool = False
    tools: bool = False
    thinking: bool = False
    images: bool = False
    audio: bool = False
    unserved: tuple[str, ...] = ()


def check(entry: ModelEntry, asked: Asked, *, requested: str, verb: str) -> None:
    """Raises: CapabilityMissing, ParameterInvalid: whatever `refusal` finds."""
    if (refused := refusal(entry, asked, requested=requested, verb=verb)) is not None:
        raise refused


def refusal(entry: ModelEntry, asked: Asked, *, requested: str, verb: str) -> CorralError | None:
    """The first reason why `entry` cannot serve the request, in Ollama's words where it has some.

    `requested` is the model as the client wrote it, `verb` what it wants to do: generate or chat.
    """
    if "completion" not in entry.capabilities:
        return CapabilityMissing(f'"{requested}" does not support {verb}')
    if asked.thinking and "thinking" not in entry.capabilities:
        return CapabilityMissing(f'"{requested}" does not support thinking')
    wanted = [name for name, is_asked in (("insert", asked.insert), ("tools", asked.tools)) if is_asked]
    lacking = [name for name in wanted if name not in entry.capabilities]
    if lacking:
        return CapabilityMissing(f"{entry.name.full} does not support " + "\n".join(lacking))
    if asked.images and "vision" not in entry.capabilities:
        return CapabilityMissing(f'"{requested}" does not support images')
    if asked.audio and "audio" not in entry.capabilities:
        return CapabilityMissing(f'"{requested}" does not support audio')
    if asked.unserved:
        return ParameterInvalid(f"this server does not support {', '.join(asked.unserved)} yet")
    return None


def embedding_refusal(entry: ModelEntry, *, requested: str) -> CorralError | None:
    """Why `entry` cannot give vectors: a model that writes text is opened for that alone."""
    return None if entry.embeds else CapabilityMissing(f'"{requested}" does not support embeddings')
