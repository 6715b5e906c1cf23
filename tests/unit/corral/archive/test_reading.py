"""Archives, honest and hostile."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from corral.archive import reading
from corral.archive.reading import read_contents
from corral.errors import CliError
from corral.manifests import MANIFEST_BYTES_MAX
from corral.model_names import parse_model_name

BLOB = "blobs/sha256-" + "a" * 64
MANIFEST = "manifests/registry.ollama.ai/library/bot/latest"


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_found_wherever_they_lie_and_folders_are_passed_over(form: int, tmp_path: Path) -> None:
    folder = member("./manifests/", type=tarfile.DIRTYPE)
    path = archive(tmp_path / "x.tar", folder, member(f"./{MANIFEST}", b"{}"), member(BLOB, b"weights"), form=form)
    contents = read_contents(path)
    assert contents.manifest(parse_model_name("bot")) == b"{}"
    assert b"".join(contents.chunks(contents.blobs["sha256:" + "a" * 64])) == b"weights"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (member("../evil", b"x"), "no part of a model"),
        (member("/etc/passwd", b"x"), "no part of a model"),
        (member(BLOB, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "not an ordinary file"),
        (member(BLOB, type=tarfile.LNKTYPE, linkname=MANIFEST), "not an ordinary file"),
        (member(BLOB, type=tarfile.CHRTYPE), "not an ordinary file"),
        (member(BLOB, type=tarfile.FIFOTYPE), "not an ordinary file"),
        (member(MANIFEST, b"[]"), "twice"),
        (member(f"./{MANIFEST}", b"[]"), "twice"),
        (member(BLOB, pax_headers={"GNU.sparse.size": "999999999999"}), "not an ordinary file"),
        (member(BLOB, pax_headers={"comment": "x" * (reading.HEADER_BYTES_MAX + 1)}), "impossibly large header"),
        (member(BLOB, pax_headers={"size": "-5"}), "ordinary file|not a tar"),
    ],
)
def test_anything_but_parts_of_models_is_refused(bad: tuple[tarfile.TarInfo, bytes], why: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "x.tar", member(MANIFEST, b"{}"), bad)
    with pytest.raises(CliError, match=why):
        read_contents(path)


def cut(content: bytes) -> bytes:
    return content[:1000]


def damaged(content: bytes) -> bytes:
    return content[:100] + b"\xff" * 100 + content[200:]


def compressed(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(member(MANIFEST)[0])
    return packed.getvalue()


@pytest.mark.parametrize("spoil", [cut, damaged, compressed, lambda _: b"", lambda _: b"no tar" * 1000])
def test_a_file_that_is_no_whole_tar_is_refused(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = archive(tmp_path / "x.tar", member(BLOB, bytes(2000)))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CliError, match="not a tar file, or it is damaged"):
        read_contents(path)


def test_headers_that_follow_each_other_without_end_are_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    (tmp_path / "x.tar").write_bytes(header.tobuf(tarfile.USTAR_FORMAT) * 5000)
    with pytest.raises(CliError, match="not a tar file, or it is damaged"):
        read_contents(tmp_path / "x.tar")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read .*nothing\.tar"):
        read_contents(tmp_path / "nothing.tar")


def test_a_manifest_and_the_number_of_members_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = bytes(MANIFEST_BYTES_MAX + 1)
    path = archive(tmp_path / "x.tar", member(MANIFEST, large), member(BLOB))
    with pytest.raises(CliError, match="larger than"):
        read_contents(path).manifest(parse_model_name("bot"))
    monkeypatch.setattr(reading, "MEMBERS_MAX", 1)
    with pytest.raises(CliError, match="more than 1 members"):
        read_contents(path)


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.tar", member(BLOB, bytes(2000)))
    contents = read_contents(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(CliError, match="is cut off"):
        list(contents.chunks(next(iter(contents.blobs.values()))))
