"""From raw measurements to the numbers that are shown. Pure."""

import math
import statistics
from collections.abc import Sequence

import msgspec

from bench.records import Block


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One server at one number of users. Rates are the median over rounds; the rest is over all answers and gaps."""

    server: str
    users: int
    answers_count: int
    tokens_per_s: float
    ttft_p50_s: float
    ttft_p99_s: float
    gap_p50_s: float
    gap_p99_s: float


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second of one server against another's in the same round: median, least and most over the rounds."""

    users: int
    against: str
    median: float
    least: float
    most: float


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all lie at or below, between neighbours where it falls between; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def tokens_per_s(block: Block) -> float:
    return sum(answer.tokens for answer in block.answers) / block.wall_s


def rows(blocks: Sequence[Block]) -> list[Row]:
    """One row for each server and number of users, in the order they were measured in."""
    groups: dict[tuple[int, str], list[Block]] = {}
    for block in blocks:
        groups.setdefault((block.users, block.server), []).append(block)
    return [_row(server, users, group) for (users, server), group in groups.items()]


def _row(server: str, users: int, blocks: Sequence[Block]) -> Row:
    answers = [answer for block in blocks for answer in block.answers]
    ttfts = [answer.ttft_s for answer in answers]
    gaps = [gap for answer in answers for gap in answer.gaps_s]
    return Row(
        server=server,
        users=users,
        answers_count=len(answers),
        tokens_per_s=statistics.median(tokens_per_s(block) for block in blocks),
        ttft_p50_s=percentile(ttfts, 50),
        ttft_p99_s=percentile(ttfts, 99),
        gap_p50_s=percentile(gaps, 50),
        gap_p99_s=percentile(gaps, 99),
    )


def ratios(blocks: Sequence[Block], *, of: str) -> list[Ratio]:
    """`of` against every other server, round by round, so that the machine's slow drift cancels out."""
    rates = {(block.users, block.round_number, block.server): tokens_per_s(block) for block in blocks}
    others = dict.fromkeys((block.users, block.server) for block in blocks if block.server != of)
    found: list[Ratio] = []
    for users, other in others:
        values = [
            rate / rates[users, number, other]
            for (at, number, server), rate in rates.items()
            if server == of and at == users and (users, number, other) in rates
        ]
        if values:
            found.append(
                Ratio(users=users, against=other, median=statistics.median(values), least=min(values), most=max(values))
            )
    return found
