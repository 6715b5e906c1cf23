"""How much room there is, also for folders that are yet to be made."""

from pathlib import Path

from shared.disk_space import disk_space


def test_a_folder_that_does_not_exist_has_the_room_of_the_one_it_would_be_made_in(tmp_path: Path) -> None:
    here, below = disk_space(tmp_path), disk_space(tmp_path / "not" / "yet")
    assert here is not None
    assert below is not None
    assert 0 < here.free_bytes <= here.total_bytes
    assert below.total_bytes == here.total_bytes


def test_what_lies_below_a_file_has_no_room(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert disk_space(file / "folder") is None
