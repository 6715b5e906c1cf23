"""How likely a token was among all of them, straight from the logits. Pure."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from shared.generation import TokenLogprob


def token_logprob(
    logits: npt.NDArray[np.float32], token: int, *, top_count: int, piece: Callable[[int], bytes]
) -> TokenLogprob:
    """The token's log-probability and the `top_count` likeliest tokens', likeliest first.

    Before penalties, temperature and everything else that sampling does to them, as llama-server has it.
    """
    highest = logits.max()
    log_sum = float(highest) + float(np.log(np.exp(logits - highest).sum(dtype=np.float64)))

    def told(one: int) -> TokenLogprob:
        return TokenLogprob(piece(one), float(logits[one]) - log_sum)

    top = _likeliest(logits, min(top_count, len(logits)))
    return TokenLogprob(piece(token), float(logits[token]) - log_sum, tuple(told(int(one)) for one in top))


def _likeliest(logits: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    if not count:
        return np.empty(0, dtype=np.intp)
    unsorted = np.argpartition(logits, -count)[-count:]
    return unsorted[np.argsort(-logits[unsorted], kind="stable")]
