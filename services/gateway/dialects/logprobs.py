"""Log-probabilities as Ollama and OpenAI's chat tell them: one object a token. Pure."""

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
