"""Downloads on disk: what a killed process leaves, what Ollama leaves, and nothing that claims too much."""

import json
from pathlib import Path

import pytest

from services.registry.paths import StorePaths
from services.registry.transfers.partial_files import PartialFile, missing_bytes, read_states, remove_leftovers
from services.registry.transfers.parts import Part
from shared.digest import digest_of
from shared.errors import UpstreamFailed

CONTENT = bytes(range(250)) * 4
DIGEST = digest_of(CONTENT)


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path)
    paths.create_folders()
    return paths


def opened(paths: StorePaths, part_bytes: int = 400) -> PartialFile:
    file = PartialFile(paths, DIGEST, len(CONTENT))
    file.prepare(part_bytes)
    return file


def names(paths: StorePaths) -> set[str]:
    return {path.name.removeprefix(paths.blob(DIGEST).name) for path in paths.blobs.iterdir()}


def fill(file: PartialFile, index: int, count: int) -> None:
    position = file.parts[index].position
    file.append(index, [CONTENT[position : position + count]])


def test_a_new_download_lies_on_disk_as_ollamas_would(paths: StorePaths) -> None:
    with opened(paths) as file:
        fill(file, 1, 7)
    assert names(paths) == {"-partial", "-partial-0", "-partial-1", "-partial-2"}
    assert paths.partial(DIGEST).stat().st_size == len(CONTENT)
    state = json.loads(paths.part_state(DIGEST, 1).read_bytes())
    assert state == {"N": 1, "Offset": 400, "Size": 400, "Completed": 7}


def test_a_download_goes_on_where_it_stopped(paths: StorePaths) -> None:
    with opened(paths) as file:
        fill(file, 0, 400)
        fill(file, 2, 150)
    assert missing_bytes(paths, DIGEST, len(CONTENT)) == 450
    with opened(paths, part_bytes=90) as file:
        assert (file.completed_bytes, file.prefix_bytes) == (550, 400)
        fill(file, 1, 400)
        fill(file, 2, 50)
        file.publish()
    assert paths.blob(DIGEST).read_bytes() == CONTENT
    assert names(paths) == {""}


def test_ollamas_download_goes_on(paths: StorePaths) -> None:
    """Its parts have other sizes, its states other lengths, and a state may have been lost."""
    paths.partial(DIGEST).write_bytes(CONTENT[:300] + bytes(300) + CONTENT[600:650] + bytes(350))
    paths.part_state(DIGEST, 0).write_text('{"N":0,"Offset":0,"Size":300,"Completed":300}\n')
    paths.part_state(DIGEST, 1).write_text("")
    paths.part_state(DIGEST, 2).write_text('{"N":2,"Offset":600,"Size":400,"Completed":50}\n')
    with opened(paths) as file:
        assert [(part.offset, part.completed) for part in file.parts] == [(0, 300), (300, 0), (600, 50)]
        fill(file, 1, 300)
        fill(file, 2, 350)
        file.publish()
    assert paths.blob(DIGEST).read_bytes() == CONTENT
    assert names(paths) == {""}


@pytest.mark.parametrize("length", [0, 999, 1001])
def test_states_of_a_file_of_another_length_are_not_believed(paths: StorePaths, length: int) -> None:
    paths.partial(DIGEST).write_bytes(bytes(length))
    paths.part_state(DIGEST, 0).write_text('{"N":0,"Offset":0,"Size":1000,"Completed":1000}')
    assert read_states(paths, DIGEST, len(CONTENT)) == ()
    with opened(paths) as file:
        assert file.completed_bytes == 0
    assert missing_bytes(paths, DIGEST, len(CONTENT)) == len(CONTENT)


def test_states_without_data_are_not_believed_and_are_cleared_away(paths: StorePaths) -> None:
    paths.part_state(DIGEST, 0).write_text('{"N":0,"Offset":0,"Size":1000,"Completed":1000}')
    assert missing_bytes(paths, DIGEST, len(CONTENT)) == len(CONTENT)
    assert remove_leftovers(paths) == 1
    assert names(paths) == set()


def test_the_states_of_a_running_download_are_no_leftovers(paths: StorePaths) -> None:
    opened(paths).close()
    assert remove_leftovers(paths) == 0


def test_states_of_parts_that_are_not_planned_go(paths: StorePaths) -> None:
    paths.partial(DIGEST).write_bytes(bytes(len(CONTENT)))
    for number in (0, 5, 77):
        paths.part_state(DIGEST, number).write_text(f'{{"N":{number},"Offset":0,"Size":1000,"Completed":9}}')
    with opened(paths):
        assert names(paths) == {"-partial", "-partial-0", "-partial-1", "-partial-2"}


def test_discarded_content_is_neither_claimed_nor_kept(paths: StorePaths) -> None:
    with opened(paths) as file:
        fill(file, 0, 400)
        file.discard()
        assert (file.completed_bytes, file.prefix_bytes) == (0, 0)
    assert paths.partial(DIGEST).read_bytes() == bytes(len(CONTENT))
    assert read_states(paths, DIGEST, len(CONTENT))[0].completed == 0


def test_two_do_not_write_one_file(paths: StorePaths) -> None:
    with opened(paths), pytest.raises(UpstreamFailed, match="another process"):
        PartialFile(paths, DIGEST, len(CONTENT))
    opened(paths).close()


def test_many_small_chunks_are_written_in_order(paths: StorePaths) -> None:
    with opened(paths, part_bytes=len(CONTENT)) as file:
        file.append(0, [CONTENT[position : position + 1] for position in range(len(CONTENT))])
        assert file.parts == [Part(number=0, offset=0, size=1000, completed=1000)]
        file.publish()
    assert paths.blob(DIGEST).read_bytes() == CONTENT


def test_a_part_takes_its_own_bytes_only(paths: StorePaths) -> None:
    with opened(paths) as file, pytest.raises(AssertionError):
        file.append(0, [bytes(401)])


def test_an_empty_blob_is_a_file_too(paths: StorePaths) -> None:
    empty = digest_of(b"")
    with PartialFile(paths, empty, 0) as file:
        file.prepare(400)
        assert file.prefix_bytes == 0
        file.publish()
    assert paths.blob(empty).read_bytes() == b""
