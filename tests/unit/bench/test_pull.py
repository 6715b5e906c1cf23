"""How the pull's benchmark sums up its rounds."""

from bench.pull import MIB, Pulled, Round, table


def one_round(curl_s: float, sha256sum_s: float, pull_s: float, peak_bytes: int = 100_000_000) -> Round:
    return Round(curl_s=curl_s, sha256sum_s=sha256sum_s, corral=Pulled(wall_s=pull_s, peak_bytes=peak_bytes))


def test_the_pull_is_held_against_the_slower_of_the_other_two() -> None:
    assert one_round(1.0, 2.0, 2.5).ratio == 0.8
    assert one_round(4.0, 2.0, 4.0).ratio == 1.0


def test_the_table_names_rates_ratios_and_the_highest_memory() -> None:
    rounds = [one_round(1.0, 2.0, 2.0), one_round(1.0, 2.0, 4.0, 120_000_000), one_round(1.0, 2.0, 2.5)]
    lines = table(rounds, 1000 * MIB).splitlines()
    assert lines[2] == "| 1 | 1.00 s, 1000 MiB/s | 2.00 s, 500 MiB/s | 2.00 s, 500 MiB/s | 1.00 | 100 MB |"
    assert "median 0.80, least 0.50, most 1.00" in lines[-1]
    assert "Peak memory of the registry: 120 MB" in lines[-1]
