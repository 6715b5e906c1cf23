"""Numbers on the pictures."""

import pytest

from tools.dashboards.units import shown


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0, "none", "0"),
        (12345, "none", "12,345"),
        (0.125, "percentunit", "12.5%"),
        (0, "s", "0 s"),
        (0.0042, "s", "4.2 ms"),
        (30, "s", "30 s"),
        (300, "s", "5 min"),
        (1023, "bytes", "1,023 B"),
        (1 << 20, "bytes", "1 MiB"),
        (1536 << 40, "bytes", "1,536 TiB"),
        (2048, "Bps", "2 KiB/s"),
        (3, "reqps", "3 req/s"),
        (89.4, "suffix: days", "89.4 days"),
    ],
)
def test_a_number_is_shown_with_its_unit(value: float, unit: str, expected: str) -> None:
    assert shown(value, unit) == expected
