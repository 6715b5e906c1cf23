"""Files in the blobs folder are told apart by their names."""

from pathlib import Path

import pytest

from services.registry.blob_folder import FileKind, blob_files, kind_of, total_bytes
from services.registry.paths import StorePaths
from shared.digest import digest_of

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"sha256-{HEX}", FileKind.BLOB),
        (f"sha256-{HEX}-partial", FileKind.PARTIAL),
        (f"sha256-{HEX}-partial-12", FileKind.PARTIAL),
        (f"upload-{HEX[:32]}", FileKind.UPLOAD),
        (f"sha256-{HEX}-partial-", FileKind.OTHER),
        (f"sha256-{HEX}.tmp", FileKind.OTHER),
        (f"sha256:{HEX}", FileKind.OTHER),
        (f"sha256-{HEX[:-1]}", FileKind.OTHER),
        ("notes.txt", FileKind.OTHER),
    ],
)
def test_a_name_says_what_a_file_is(name: str, kind: FileKind) -> None:
    assert kind_of(name)[0] is kind
    assert (kind_of(name)[1] == f"sha256:{HEX}") is (kind in (FileKind.BLOB, FileKind.PARTIAL))


def test_a_partial_download_counts_with_what_it_takes_of_the_disk(paths: StorePaths) -> None:
    digest = digest_of(b"weights")
    with Path(f"{paths.blob(digest)}-partial").open("wb") as file:
        file.write(b"begun")
        file.truncate(1 << 30)
    paths.blob(digest).write_bytes(b"weights")
    files = {file.kind: file for file in blob_files(paths.blobs)}
    assert files[FileKind.BLOB].size_bytes == 7
    assert files[FileKind.PARTIAL].size_bytes < 1 << 20
    assert total_bytes(files.values()) < 1 << 21
