"""Whatever bytes a header is made of: it is read, or refused with a reason, and soon."""

import io
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import gguf_files as fake
from services.registry.gguf import Header, read_header
from services.registry.model_facts import facts_of
from shared.errors import ModelFileInvalid

WHOLE = fake.tiny_model()
HEADER_BYTES = len(WHOLE) - 8192 - 2048
READ_S_MAX = 0.5


def read_or_refuse(content: bytes) -> Header | None:
    started_s = time.process_time()
    try:
        header = read_header(io.BytesIO(content), len(content))
        facts_of(header)
    except ModelFileInvalid as error:
        assert error.message.startswith("invalid GGUF file: ")  # noqa: PT017
        return None
    finally:
        assert time.process_time() - started_s < READ_S_MAX
    return header


def test_the_untouched_file_is_read() -> None:
    assert read_or_refuse(WHOLE) is not None


def test_the_file_is_refused_wherever_it_is_cut() -> None:
    for length in range(HEADER_BYTES + 1):
        assert read_or_refuse(WHOLE[:length]) is None
    assert read_or_refuse(WHOLE[:-1]) is None


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(content: bytes) -> None:
    assert read_or_refuse(content) is None


@given(st.binary(max_size=200), st.integers(0, 2**16), st.integers(0, 2**16))
def test_random_bytes_behind_a_good_beginning_do_no_harm(rest: bytes, tensors: int, pairs: int) -> None:
    read_or_refuse(
        b"GGUF" + (3).to_bytes(4, "little") + tensors.to_bytes(8, "little") + pairs.to_bytes(8, "little") + rest
    )


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, HEADER_BYTES - 1), st.integers(0, 7)), min_size=1, max_size=4))
def test_flipped_bits_do_no_harm(flips: list[tuple[int, int]]) -> None:
    content = bytearray(WHOLE)
    for place, bit in flips:
        content[place] ^= 1 << bit
    read_or_refuse(bytes(content))


@given(st.integers(0, HEADER_BYTES - 8), st.sampled_from([2**64 - 1, 2**63, 2**32, 2**31 - 1, 10**9, 0]))
def test_hostile_numbers_anywhere_do_no_harm(place: int, number: int) -> None:
    read_or_refuse(WHOLE[:place] + number.to_bytes(8, "little") + WHOLE[place + 8 :])


@given(st.binary(min_size=1, max_size=64), st.integers(0, HEADER_BYTES - 1), st.integers(0, 64))
def test_spliced_bytes_do_no_harm(inserted: bytes, place: int, removed: int) -> None:
    read_or_refuse(WHOLE[:place] + inserted + WHOLE[place + removed :])
