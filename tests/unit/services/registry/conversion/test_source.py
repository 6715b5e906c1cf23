"""Files of an import: found by name only, and never more of them in memory than is sensible."""

from pathlib import Path

import msgspec
import pytest

from services.registry.conversion.source import FILE_BYTES_MAX, Source
from shared.errors import ModelFileInvalid


class Config(msgspec.Struct):
    size: int


def source(folder: Path, content: bytes) -> Source:
    (folder / "blob").write_bytes(content)
    return Source({"config.json": folder / "blob"})


def test_json_becomes_the_type_that_is_asked_for(tmp_path: Path) -> None:
    assert source(tmp_path, b'{"size": 3, "more": null}').json("config.json", Config) == Config(3)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    empty = source(tmp_path, b"")
    assert empty.optional_json("blob", Config) is None
    with pytest.raises(ModelFileInvalid, match=r"other\.json is missing"):
        empty.json("other.json", Config)


@pytest.mark.parametrize("content", [b"", b"{", b'{"size": "3"}', b'{"size": 1e99}', b"\xff\xfe", b"[" * 100_000])
def test_json_that_says_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelFileInvalid, match=r"config\.json: "):
        source(tmp_path, content).json("config.json", Config)


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    found = source(tmp_path, b"")
    with (tmp_path / "blob").open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    with pytest.raises(ModelFileInvalid, match=r"config\.json is larger than 134217728 bytes"):
        found.optional_content("config.json")
    with (tmp_path / "blob").open("wb") as file:
        file.truncate(1000)
    assert found.optional_content("config.json") == bytes(1000)
