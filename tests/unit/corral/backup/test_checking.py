"""Backups, honest ones and such as only pretend to be."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from corral.backup import checking
from corral.backup.checking import read_backup
from corral.errors import CliError
from unit.corral.backup.files import KEYS, MANIFEST, NAME, WEIGHTS, backup_file, digest, members_of, sealed

Members = dict[str, bytes]
INDEX = "corral-backup.json"
BLOB = f"blobs/{digest(WEIGHTS).replace(':', '-')}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar"


def test_a_backup_is_read_with_all_that_it_holds(file: Path) -> None:
    file.write_bytes(backup_file())
    backup = read_backup(file)
    assert backup.keys == json.loads(KEYS)["keys"]
    assert backup.manifests == {NAME: MANIFEST}
    assert len(backup.contents.blobs) == 3
    assert backup.index["models"] == {"team/bot:1": digest(MANIFEST)}
    assert (backup.index["keys"]["count"], backup.index["left_out"]) == (1, {"count": 0, "bytes": 0})


def test_a_file_by_somebody_else_is_read_as_long_as_it_is_one(file: Path) -> None:
    file.write_bytes(sealed(members_of(backup_file())))
    assert read_backup(file).manifests == {NAME: MANIFEST}


def index(**changes: object) -> Callable[[Members], Members]:
    return lambda members: {**members, INDEX: json.dumps({**json.loads(members[INDEX]), **changes}).encode()}


def without(name: str) -> Callable[[Members], Members]:
    return lambda members: {one: content for one, content in members.items() if one != name}


def having(name: str, content: bytes) -> Callable[[Members], Members]:
    return lambda members: {**members, name: content}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (without(INDEX), "has no corral-backup.json"),
        (without("keys.json"), "has no keys.json"),
        (without(BLOB), "does not hold what its corral-backup.json says"),
        (index(format="something"), "no backup of a Corral cluster"),
        (index(version=2), "has version 2; this command understands 1"),
        (index(created_at=None), "no backup of a Corral cluster"),
        (index(models={}), "does not hold what its corral-backup.json says"),
        (having(INDEX, b"[1]"), "a document of the backup is damaged"),
        (having(INDEX, b"[" * 100_000), "a document of the backup is damaged"),
        (having("keys.json", b'{"keys": []}'), "the backup's keys are damaged"),
        (having("keys.json", b'{"keys": {}}'), "does not hold what its corral-backup.json says"),
        (having(BLOB, b"short"), "it has other bytes for"),
        (having(BLOB, bytes(len(WEIGHTS))), "it has other bytes for"),
        (having("manifests/registry.ollama.ai/team/bot/1", b"{}"), "not one of a model"),
        (having("keys/../../x", b""), "no part of a model"),
    ],
)
def test_a_file_that_is_sealed_and_yet_no_backup_is_refused(
    spoil: Callable[[Members], Members], why: str, file: Path
) -> None:
    file.write_bytes(sealed(spoil(members_of(backup_file()))))
    with pytest.raises(CliError, match=why):
        read_backup(file)


@pytest.mark.parametrize("size", [1 << 20, 1 << 40, (1 << 62) + 1])
def test_a_size_that_leads_beyond_the_file_is_refused(size: int, file: Path) -> None:
    for name in (BLOB, INDEX, "keys.json"):
        file.write_bytes(sealed(members_of(backup_file()), claimed_sizes={name: size}))
        with pytest.raises(CliError):
            read_backup(file)


@pytest.mark.parametrize(("name", "limit"), [(INDEX, "INDEX_BYTES_MAX"), ("keys.json", "KEYS_BYTES_MAX")])
def test_documents_have_a_largest_size(name: str, limit: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(backup_file())
    size = len(members_of(backup_file())[name])
    monkeypatch.setattr(checking, limit, size)
    read_backup(file)
    monkeypatch.setattr(checking, limit, size - 1)
    with pytest.raises(CliError, match=f"{name} is larger than {size - 1} bytes"):
        read_backup(file)


def test_an_archive_of_models_is_no_backup(file: Path) -> None:
    members = members_of(backup_file())
    file.write_bytes(sealed({name: content for name, content in members.items() if "/" in name}))
    with pytest.raises(CliError, match=r"has no corral-backup\.json"):
        read_backup(file)
