"""What a fake backend's model says when nobody else is there, without the engine, so that the two can be compared."""

import random
from collections.abc import Sequence

from fakes.backend import BOS, EOS, Cell, FakeBackend, chosen
from shared.options import Options


def kept_alone(prompt: Sequence[int], options: Options, *, tokens_max: int) -> int:
    """How many tokens in front never leave: `num_keep` behind a BOS, or the prompt."""
    wanted = len(prompt) if options.num_keep < 0 else options.num_keep + (prompt[0] == BOS)
    return min(wanted, len(prompt), tokens_max - 4)


def reply_alone(
    backend: FakeBackend, prompt: Sequence[int], options: Options, *, tokens_max: int, shifts: bool = False
) -> list[int]:
    """The tokens `backend`'s model gives for `prompt` when nobody else is there, its end token included.

    Written without the engine, so that the two can be compared. With `shifts` the older half of a full context leaves.
    """
    draw = random.Random(options.seed if options.seed >= 0 else None)
    cells = [Cell(token, decoded=False) for token in prompt]
    reply: list[int] = []
    room = 10 * tokens_max if shifts else tokens_max - len(prompt)
    kept = kept_alone(prompt, options, tokens_max=tokens_max)
    limit = min(options.num_predict, room) if options.num_predict > 0 else room
    while len(reply) < limit:
        token = chosen(backend.scores(tuple(cells)), options, [cell.token for cell in cells], draw)
        reply.append(token)
        if token == EOS:
            break
        if len(cells) == tokens_max - 1:
            del cells[kept : kept + (len(cells) - kept) // 2]
        cells.append(Cell(token, decoded=True))
    return reply
