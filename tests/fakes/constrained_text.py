"""Random output within a constraint, ended before long: what a model without any sense would say."""

import random

from services.worker.engine.backend import Constraint, Vocabulary

PATIENCE_TOKENS = 60
TOKENS_MAX = 3_000


def random_output(constraint: Constraint, vocabulary: Vocabulary, seed: int) -> str | None:
    """Draw until the output is complete, at random first and then whatever comes to an end; None when it never does.

    Raises: UnicodeDecodeError for tokens that do not join to text.
    """
    draw = random.Random(seed)
    said = b""
    for count in range(TOKENS_MAX):
        allowed = [int(token) for token in constraint.allowed()]
        token = draw.choice(allowed) if count < PATIENCE_TOKENS else _ending(allowed, vocabulary, draw)
        constraint.take(token)
        if vocabulary.ends_generation(token):
            return said.decode()
        said += vocabulary.piece(token)
    return None


def _ending(allowed: list[int], vocabulary: Vocabulary, draw: random.Random) -> int:
    """The end of everything, of the string we are in, of the innermost object or list: the first that is allowed."""
    ends = [token for token in allowed if vocabulary.ends_generation(token)]
    if ends:
        return ends[0]
    by_piece = {vocabulary.piece(token): token for token in allowed}
    inside_string = b"z" in by_piece  # no word of JSON has this letter
    closing = [b'"'] if inside_string else [b"}", b"]", b",", b'"']
    return next((by_piece[piece] for piece in closing if piece in by_piece), draw.choice(allowed))
