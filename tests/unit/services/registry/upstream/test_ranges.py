"""What counts as the answer to a request for part of a blob."""

import pytest

from services.registry.upstream.ranges import check_part, range_header, uploaded_bytes
from shared.errors import UpstreamFailed


def test_the_last_byte_of_a_range_is_named() -> None:
    assert range_header(0, 10) == "bytes=0-9"


@pytest.mark.parametrize(
    ("status", "headers", "start", "end"),
    [
        (206, {"Content-Range": "bytes 5-9/100", "Content-Length": "5"}, 5, 10),
        (206, {"Content-Range": "bytes 5-9/*"}, 5, 10),
        (200, {"Content-Length": "10"}, 0, 10),
        (200, {"Content-Length": "10", "Content-Encoding": "identity"}, 0, 10),
    ],
)
def test_the_range_asked_for_is_accepted(status: int, headers: dict[str, str], start: int, end: int) -> None:
    check_part(status, headers, start, end)


@pytest.mark.parametrize(
    ("status", "headers", "start", "end"),
    [
        (200, {"Content-Length": "100"}, 5, 10),
        (200, {"Content-Length": "100"}, 0, 10),
        (200, {"Content-Length": "5"}, 5, 10),
        (200, {}, 0, 10),
        (206, {}, 5, 10),
        (206, {"Content-Range": "bytes 0-9/100"}, 5, 10),
        (206, {"Content-Range": "bytes 5-8/100"}, 5, 10),
        (206, {"Content-Range": "bytes 5-9/100", "Content-Length": "4"}, 5, 10),
        (206, {"Content-Range": "5-9/100"}, 5, 10),
        (206, {"Content-Range": "bytes 5-9/100", "Content-Encoding": "gzip"}, 5, 10),
        (204, {}, 0, 10),
    ],
)
def test_anything_else_is_a_failure(status: int, headers: dict[str, str], start: int, end: int) -> None:
    with pytest.raises(UpstreamFailed):
        check_part(status, headers, start, end)


@pytest.mark.parametrize(
    ("header", "count"), [("0-99", 100), ("bytes=0-99", 100), ("0-0", 0), (None, 0), ("", 0), ("5-9", 0), ("x", 0)]
)
def test_an_upload_says_its_last_byte(header: str | None, count: int) -> None:
    assert uploaded_bytes(header) == count
