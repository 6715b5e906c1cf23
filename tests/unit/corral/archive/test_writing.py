"""Files that appear whole or not at all."""

import stat
from pathlib import Path

import pytest

from corral.archive.writing import written_whole
from corral.errors import CliError


def test_a_file_takes_its_name_when_it_is_whole_and_has_its_mode_from_the_first_byte(tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    with written_whole(file, mode=0o600) as out:
        (part,) = tmp_path.iterdir()
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        out.write(b"new")
        assert not file.exists()
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def write_half(file: Path) -> None:
    with written_whole(file) as out:
        out.write(b"new")
        raise CliError("the other half is lost")


def test_what_breaks_off_leaves_the_older_file(tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    file.write_bytes(b"older")
    with pytest.raises(CliError, match="other half"):
        write_half(file)
    assert file.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [file]


def test_two_that_write_the_same_file_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    with written_whole(file) as slow:
        slow.write(b"slow")
        with written_whole(file) as quick:
            quick.write(b"quick")
        assert file.read_bytes() == b"quick"
    assert file.read_bytes() == b"slow"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    for folder in (tmp_path, Path(), Path("/")):
        with pytest.raises(CliError, match="is a folder"), written_whole(folder):
            pass
