"""Whether an answer arrives while it is made, or all at once because something on the way holds it back."""

from typing import Final

from corral.doctor.facts import Place, Stream
from corral.doctor.findings import Finding, ok, problem, skipped, warning

DECODE_S_MIN: Final = 0.3
"""What takes less time to decode says nothing: tokens of steps shorter than 40 ms come together anyway."""

SPREAD_OK: Final = 0.5
SPREAD_BUFFERED: Final = 0.25
"""How long the pieces took to come, beside how long the server took to make them."""

UNBUFFERED: Final = "In nginx: proxy_buffering off; gzip off; and the same in every other proxy on the way."


def streaming(stream: Stream, place: Place) -> Finding:
    if stream.problem:
        return problem(f"{stream.model} gave no answer: {stream.problem}", "Look at: corral ps; corral smoke")
    if stream.decode_s < DECODE_S_MIN:
        return skipped(
            f"{stream.model} made {stream.tokens_count} tokens in {stream.decode_s * 1000:.0f} ms, too fast to tell"
        )
    pieces_count, spread_s = len(stream.arrivals_s), spread(stream)
    came = f"{pieces_count} pieces of {stream.model} came over {spread_s:.2f} s, made over {stream.decode_s:.2f} s"
    if spread_s >= SPREAD_OK * stream.decode_s:
        return ok(came)
    if spread_s < SPREAD_BUFFERED * stream.decode_s:
        where = "in the gateway or before it" if place.is_direct else "on the way"
        return problem(f"answers are held back {where}: {came}", UNBUFFERED)
    return warning(f"some of the answer was held back: {came}", "Try again; if it stays so: " + UNBUFFERED)


def spread(stream: Stream) -> float:
    """Seconds from the first piece to the last."""
    return max(stream.arrivals_s, default=0.0) - min(stream.arrivals_s, default=0.0)
