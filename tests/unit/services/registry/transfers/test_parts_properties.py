"""Laws of parts: they cover the blob once, and what was kept of an earlier download stays kept."""

from hypothesis import given
from hypothesis import strategies as st

from services.registry.transfers.parts import (
    PARTS_MAX,
    STATE_BYTES,
    Part,
    adopt,
    completed_bytes,
    decode_state,
    divide,
    encode_state,
    part_bytes_for,
    prefix_bytes,
)

SIZES = st.integers(0, 3000)
PART_BYTES = st.integers(1, 700)
NUMBERS = st.integers(-5, 2**63 - 1)


@st.composite
def downloads(draw: st.DrawFn) -> tuple[int, list[Part]]:
    """A blob's size, and some of the parts of a true download of it in any order."""
    size_bytes = draw(SIZES)
    parts = divide(0, size_bytes, part_bytes_for(size_bytes, draw(PART_BYTES)))
    kept = [part for part in parts if draw(st.booleans())]
    grown = [
        Part(number=part.number, offset=part.offset, size=part.size, completed=draw(st.integers(0, part.size)))
        for part in kept
    ]
    return size_bytes, draw(st.permutations(grown))


def assert_covers(parts: tuple[Part, ...], size_bytes: int) -> None:
    position = 0
    for part in parts:
        assert part.offset == position
        assert part.size > 0
        position = part.end
    assert position == size_bytes
    assert len({part.number for part in parts}) == len(parts)


@given(SIZES, PART_BYTES)
def test_new_parts_cover_the_blob_and_are_not_too_many(size_bytes: int, part_bytes: int) -> None:
    parts = adopt([], size_bytes, part_bytes)
    assert_covers(parts, size_bytes)
    assert len(parts) <= PARTS_MAX


@given(downloads(), PART_BYTES)
def test_a_download_goes_on_with_everything_it_had(download: tuple[int, list[Part]], part_bytes: int) -> None:
    size_bytes, found = download
    parts = adopt(found, size_bytes, part_bytes)
    assert_covers(parts, size_bytes)
    assert set(found) <= set(parts)
    assert completed_bytes(parts) == completed_bytes(found)


@given(st.lists(st.builds(Part, number=NUMBERS, offset=NUMBERS, size=NUMBERS, completed=NUMBERS)), SIZES, PART_BYTES)
def test_whatever_lies_on_the_disk_the_parts_cover_the_blob(
    found: list[Part], size_bytes: int, part_bytes: int
) -> None:
    parts = adopt(found, size_bytes, part_bytes)
    assert_covers(parts, size_bytes)
    assert 0 <= prefix_bytes(parts) <= size_bytes


@given(st.builds(Part, number=NUMBERS, offset=NUMBERS, size=NUMBERS, completed=NUMBERS))
def test_a_state_survives_the_disk_and_always_takes_the_same_room(part: Part) -> None:
    content = encode_state(part)
    assert len(content) == STATE_BYTES
    assert decode_state(content) == part


@given(st.binary())
def test_no_content_of_a_state_file_is_an_accident(content: bytes) -> None:
    decode_state(content)
