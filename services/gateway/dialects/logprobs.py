"""Log-probabilities as Ollama and OpenAI's chat tell them, one object a token, and as text completions do. Pure.

Source: OpenAI's API reference.
"""

import codecs
from collections.abc import Sequence

from shared.generation import TokenLogprob


def logprob_objects(logprobs: Sequence[TokenLogprob], *, always_with_top: bool) -> list[dict[str, object]]:
    """A token that is no whole character is shown with U+FFFD; its `bytes` are exact.

    `always_with_top` has the list of likeliest tokens even where it is empty, as OpenAI's clients expect it.
    """
    objects: list[dict[str, object]] = []
    for logprob in logprobs:
        shown = _object(logprob)
        if logprob.top or always_with_top:
            shown["top_logprobs"] = [_object(one) for one in logprob.top]
        objects.append(shown)
    return objects


def _object(logprob: TokenLogprob) -> dict[str, object]:
    text = logprob.piece.decode(errors="replace")
    return {"token": text, "logprob": logprob.logprob, "bytes": list(logprob.piece)}


class TextLogprobs:
    """Those of one text completion, told in parts: parallel lists of tokens, their numbers, and where they begin."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._told_chars = 0

    def lists(self, logprobs: Sequence[TokenLogprob]) -> dict[str, object]:
        """The next tokens; `text_offset` counts the characters before a token, which may begin within one."""
        return {
            "tokens": [_shown(one) for one in logprobs],
            "token_logprobs": [one.logprob for one in logprobs],
            "top_logprobs": [{_shown(other): other.logprob for other in (*one.top, one)} for one in logprobs],
            "text_offset": [self._offset(one) for one in logprobs],
        }

    def _offset(self, logprob: TokenLogprob) -> int:
        offset = self._told_chars
        self._told_chars += len(self._decoder.decode(logprob.piece))
        return offset


def _shown(logprob: TokenLogprob) -> str:
    """The token's text; bytes that are no whole characters are spelled out, so that no two tokens look alike."""
    try:
        return logprob.piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in logprob.piece)
