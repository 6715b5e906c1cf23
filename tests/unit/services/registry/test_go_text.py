"""Numbers, strings, JSON and times look as Go prints them."""

import os
import time

import pytest

from services.registry.go_text import go_json, go_number, go_quoted, go_time


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.0, "0"), (0.6, "0.6"), (8192, "8192"), (131072, "131072"), (999_999, "999999"), (-1, "-1"),
        (1_000_000, "1e+06"), (1_048_576, "1.048576e+06"),
        (0.0001, "0.0001"), (0.00001, "1e-05"), (-2.5e-7, "-2.5e-07"),
        (123456.789, "123456.789"), (1e100, "1e+100"), (100, "100"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert go_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<|eot_id|>", '"<|eot_id|>"'), ('say "hi"\n', '"say \\"hi\\"\\n"'), ("\\", '"\\\\"'),
        ("\x01\x7f", '"\\x01\\x7f"'),
        ("é 😀", '"é 😀"'), ("\u200b", '"\\u200b"'), ("\U000e0001", '"\\U000e0001"'),
    ],
)  # fmt: skip
def test_strings(value: str, text: str) -> None:
    assert go_quoted(value) == text


def test_json_has_sorted_keys_escaped_markup_and_an_end_of_line() -> None:
    assert go_json({"b": ("<|im_end|>",), "a": "ü & co"}) == (
        '{"a":"ü \\u0026 co","b":["\\u003c|im_end|\\u003e"]}\n'.encode()
    )


def test_numbers_in_json_look_as_go_writes_them() -> None:
    numbers = [1.0, -0.0, 0.7, 8192, True, 1e-7, 1e20, 1e21]
    assert go_json(numbers) == b"[1,-0,0.7,8192,true,1e-7,100000000000000000000,1e+21]\n"


@pytest.mark.parametrize(
    ("zone", "unix_ns", "text"),
    [
        ("UTC", 1_700_000_000_000_000_000, "2023-11-14T22:13:20Z"),
        ("UTC", 1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
        ("UTC", 1_700_000_000_500_000_000, "2023-11-14T22:13:20.5Z"),
        ("Asia/Kolkata", 1_700_000_000_000_000_000, "2023-11-15T03:43:20+05:30"),
        ("America/New_York", 1_700_000_000_000_000_000, "2023-11-14T17:13:20-05:00"),
    ],
)
def test_times_carry_the_servers_offset(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, zone: str, unix_ns: int, text: str
) -> None:
    before = os.environ.get("TZ")

    def restore() -> None:
        if before is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = before
        time.tzset()

    request.addfinalizer(restore)
    os.environ["TZ"] = {"Asia/Kolkata": "IST-5:30", "America/New_York": "EST+5"}.get(zone, zone)
    time.tzset()
    assert go_time(unix_ns) == text
