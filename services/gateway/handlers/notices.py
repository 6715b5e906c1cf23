"""Headers that tell what a reply's body cannot tell in its dialect: what was left out, and what is waited for. Pure."""

from collections.abc import Mapping
from typing import Final

from services.gateway.cluster_view import ModelProgress

TRUNCATED_HEADER: Final = "X-Corral-Truncated"
POSITION_HEADER: Final = "X-Corral-Queue-Position"
MODEL_STATE_HEADER: Final = "X-Corral-Model-State"
_SHORT_NAMES: Final = {
    "dropped_messages_count": "messages",
    "dropped_tokens_count": "tokens",
    "summarized_messages_count": "summarized",
    "shifted_tokens_count": "shifted",
}


def truncation_headers(losses: Mapping[str, int]) -> dict[str, str]:
    """What a conversation lost to fit its context, such as `messages=2, tokens=120`; nothing when it lost nothing."""
    told = ", ".join(f"{_SHORT_NAMES[name]}={count}" for name, count in losses.items() if count)
    return {TRUNCATED_HEADER: told} if told else {}


def waiting_headers(position: int | None, progress: ModelProgress) -> dict[str, str]:
    """What a request waits for: its place in the queue, and a model that is not ready.

    `loading; elapsed_s=3.2; expected_s=8.0` has been loading for so long and took so long the last time.
    """
    headers = {} if position is None else {POSITION_HEADER: str(position)}
    seconds = (("elapsed_s", progress.elapsed_s), ("expected_s", progress.expected_s))
    known = [f"{name}={value:.1f}" for name, value in seconds if value is not None]
    return {**headers, MODEL_STATE_HEADER: "; ".join([progress.state, *known])}
