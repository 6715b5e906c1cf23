"""How blobs are divided, and what the states of an earlier download are worth."""

import json

import pytest

from services.registry.transfers.parts import (
    PARTS_MAX,
    STATE_BYTES,
    Part,
    adopt,
    decode_state,
    divide,
    encode_state,
    part_bytes_for,
    prefix_bytes,
)

MIB = 1 << 20


def test_the_last_part_is_shorter() -> None:
    assert divide(0, 25, 10) == (
        Part(number=0, offset=0, size=10),
        Part(number=1, offset=10, size=10),
        Part(number=2, offset=20, size=5),
    )


def test_an_empty_blob_has_no_parts() -> None:
    assert adopt([], 0, 10) == ()


def test_a_very_large_blob_gets_larger_parts_instead_of_more() -> None:
    size_bytes = 40 << 30
    assert len(divide(0, size_bytes, part_bytes_for(size_bytes, 16 * MIB))) == PARTS_MAX
    assert part_bytes_for(100 * MIB, 16 * MIB) == 16 * MIB


def test_parts_of_another_size_are_taken_over() -> None:
    """Ollama's are 100 MB and more; their number says nothing about their place."""
    found = [Part(number=7, offset=60, size=40, completed=3), Part(number=1, offset=0, size=60, completed=60)]
    assert adopt(found, 100, 10) == (found[1], found[0])


def test_a_lost_state_becomes_new_parts() -> None:
    found = [Part(number=0, offset=0, size=10, completed=10), Part(number=3, offset=30, size=10, completed=4)]
    assert adopt(found, 45, 10) == (
        found[0],
        Part(number=4, offset=10, size=10),
        Part(number=5, offset=20, size=10),
        found[1],
        Part(number=6, offset=40, size=5),
    )


@pytest.mark.parametrize(
    "found",
    [
        [Part(number=0, offset=0, size=20, completed=20), Part(number=1, offset=10, size=20)],
        [Part(number=0, offset=0, size=20), Part(number=0, offset=20, size=20)],
        [Part(number=0, offset=0, size=41)],
        [Part(number=0, offset=0, size=10, completed=11)],
        [Part(number=0, offset=0, size=10, completed=-1)],
        [Part(number=0, offset=-10, size=20)],
        [Part(number=0, offset=0, size=0)],
    ],
    ids=["overlap", "one number twice", "too long", "more than all", "negative", "before the beginning", "empty part"],
)
def test_states_that_cannot_be_true_are_worth_nothing(found: list[Part]) -> None:
    assert adopt(found, 40, 20) == divide(0, 40, 20)


def test_the_prefix_ends_at_the_first_gap() -> None:
    parts = (
        Part(number=0, offset=0, size=10, completed=10),
        Part(number=1, offset=10, size=10, completed=4),
        Part(number=2, offset=20, size=10, completed=10),
    )
    assert prefix_bytes(parts) == 14


def test_a_state_is_the_json_that_ollama_reads_and_writes() -> None:
    part = Part(number=3, offset=300, size=100, completed=42)
    content = encode_state(part)
    assert len(content) == STATE_BYTES
    assert json.loads(content) == {"N": 3, "Offset": 300, "Size": 100, "Completed": 42}
    assert decode_state(b'{"N":3,"Offset":300,"Size":100,"Completed":42}\n') == part


@pytest.mark.parametrize("content", [b"", b"{", b'{"N":1}', b'{"N":"1","Offset":0,"Size":1,"Completed":0}', b"\0" * 60])
def test_a_state_whose_writer_died_over_it_is_none(content: bytes) -> None:
    assert decode_state(content) is None
