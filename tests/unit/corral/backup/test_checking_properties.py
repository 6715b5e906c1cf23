"""Whatever is changed in a backup's file, cut off it or put behind it is noticed."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.backup.checking import read_backup
from corral.errors import CliError
from unit.corral.backup.files import backup_file

FILE = backup_file()
PLACES = st.integers(0, len(FILE) - 1)


def read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "backup.tar")
        path.write_bytes(content)
        read_backup(path)


def test_the_backup_that_is_spoilt_here_is_a_good_one() -> None:
    read(FILE)


@given(PLACES, st.integers(1, 255))
def test_a_byte_that_is_another_is_noticed(place: int, change: int) -> None:
    spoilt = bytearray(FILE)
    spoilt[place] ^= change
    with pytest.raises(CliError):
        read(bytes(spoilt))


@given(PLACES)
def test_a_file_that_is_cut_off_is_noticed(kept: int) -> None:
    with pytest.raises(CliError):
        read(FILE[:kept])


@given(PLACES, st.binary(min_size=1, max_size=600) | st.integers(1, 3000).map(bytes))
def test_bytes_that_were_put_in_are_noticed(place: int, more: bytes) -> None:
    for spoilt in (FILE[:place] + more + FILE[place:], FILE + more):
        with pytest.raises(CliError):
            read(spoilt)


@given(PLACES, PLACES)
def test_bytes_that_were_taken_out_are_noticed(one: int, other: int) -> None:
    start, end = sorted((one, other))
    if start != end:
        with pytest.raises(CliError):
            read(FILE[:start] + FILE[end:])
