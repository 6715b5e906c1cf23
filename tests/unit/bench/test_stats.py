"""From raw measurements to shown numbers."""

import math

import pytest

from bench.records import Answer, Block
from bench.stats import percentile, ratios, rows, tokens_per_s


def block(server: str, users: int, number: int, *, tokens: int, wall_s: float = 1.0) -> Block:
    answers = [Answer(ttft_s=0.1 * (user + 1), gaps_s=[0.01, 0.03], tokens=tokens) for user in range(users)]
    return Block(server=server, users=users, round_number=number, wall_s=wall_s, answers=answers, idle_cpu_share=0.0)


@pytest.mark.parametrize(
    ("values", "percent", "wanted"),
    [([5.0], 99, 5.0), ([1.0, 2.0, 3.0], 50, 2.0), ([3.0, 1.0], 50, 2.0), (list(range(101)), 99, 99.0)],
)
def test_a_percentile_lies_between_its_neighbours(values: list[float], percent: float, wanted: float) -> None:
    assert percentile(values, percent) == pytest.approx(wanted)


def test_the_percentile_of_nothing_is_no_number() -> None:
    assert math.isnan(percentile([], 50))


def test_a_blocks_rate_counts_all_its_users_tokens() -> None:
    assert tokens_per_s(block("a", 4, 0, tokens=50, wall_s=2.0)) == 100.0


def test_a_row_sums_up_all_rounds_of_one_server_at_one_level() -> None:
    blocks = [block("a", 2, number, tokens=tokens) for number, tokens in enumerate((10, 20, 90))]
    [row] = rows(blocks)
    assert (row.server, row.users, row.answers_count) == ("a", 2, 6)
    assert row.tokens_per_s == 40.0  # the median round, so that one disturbed round does not count
    assert row.ttft_p50_s == pytest.approx(0.15)
    assert row.gap_p99_s == pytest.approx(0.03)


def test_levels_and_servers_have_rows_of_their_own() -> None:
    blocks = [block(server, users, 0, tokens=1) for users in (1, 4) for server in ("a", "b")]
    assert [(row.users, row.server) for row in rows(blocks)] == [(1, "a"), (1, "b"), (4, "a"), (4, "b")]


def test_ratios_compare_within_a_round_so_that_a_slowing_machine_cancels_out() -> None:
    blocks = []
    for number, slowdown in enumerate((1, 2, 4)):
        blocks += [
            block("own", 1, number, tokens=60, wall_s=slowdown),
            block("peer", 1, number, tokens=40, wall_s=slowdown),
        ]
    [ratio] = ratios(blocks, of="own")
    assert (ratio.users, ratio.against) == (1, "peer")
    assert (ratio.least, ratio.median, ratio.most) == (1.5, 1.5, 1.5)


def test_a_round_only_one_server_finished_is_not_compared() -> None:
    blocks = [block("own", 1, 0, tokens=1), block("peer", 1, 0, tokens=2), block("own", 1, 1, tokens=100)]
    [ratio] = ratios(blocks, of="own")
    assert ratio.most == 0.5
