"""Sizes, times and tables, word for word as Ollama's command line prints them."""

from datetime import UTC, datetime, timedelta

import pytest

from corral.format import human_bytes, human_count, human_duration, parse_time, processor, relative_time, table, until

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 KB"),
        (1_500, "1.5 KB"),
        (98_362_432, "98 MB"),
        (2_000_000_000, "2 GB"),
        (2_019_000_000, "2.0 GB"),
        (14_900_000_000, "14 GB"),
        (1_200_000_000_000, "1.2 TB"),
    ],
)
def test_sizes_are_decimal_with_one_digit_below_ten(size: int, text: str) -> None:
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (999, "999"), (12_000, "12K"), (137_000_000, "137M"), (22_570_000, "22.57M"), (3_210_000_000, "3.2B")],
)
def test_numbers_of_parameters_are_short(count: int, text: str) -> None:
    assert human_count(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (61 * 2, "2 minutes"),
        (59 * 60 + 59, "59 minutes"),
        (3600, "About an hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86_400, "13 days"),
        (14 * 86_400, "2 weeks"),
        (60 * 86_400, "2 months"),
        (730 * 86_400, "2 years"),
    ],
)
def test_durations_use_the_coarsest_helpful_words(seconds: float, text: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == text


def test_times_are_told_relative_to_now() -> None:
    assert relative_time(NOW - timedelta(days=15), NOW) == "2 weeks ago"
    assert relative_time(NOW + timedelta(minutes=4, seconds=30), NOW) == "4 minutes from now"
    assert relative_time(None, NOW) == "Never"


def test_until_knows_stopping_and_forever() -> None:
    assert until(None, NOW) == "Stopping..."
    assert until(NOW - timedelta(seconds=1), NOW) == "Stopping..."
    assert until(NOW + timedelta(days=292 * 365), NOW) == "Forever"
    assert until(NOW + timedelta(minutes=5), NOW) == "5 minutes from now"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T12:00:00.123456789Z", NOW.replace(microsecond=123456)),
        ("2026-01-01T14:00:00+02:00", NOW),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        ("", None),
    ],
)
def test_times_of_the_api_are_read_with_any_number_of_digits(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    ("size", "vram", "text"),
    [
        (100, 0, "100% CPU"),
        (100, 100, "100% GPU"),
        (100, 75, "25%/75% CPU/GPU"),
        (0, 5, "Unknown"),
        (5, 9, "Unknown"),
    ],
)
def test_the_processor_column_tells_where_memory_is(size: int, vram: int, text: str) -> None:
    assert processor(size, vram) == text


def test_tables_pad_every_column_and_leave_a_gap_of_four() -> None:
    assert table([("NAME", "ID"), ("a", "b")]) == "NAME    ID    \na       b     "
    assert table([("a", "b")], indent=4) == "    a    b    "
