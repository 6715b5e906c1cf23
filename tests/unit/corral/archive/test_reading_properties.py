"""Reading an archive never crashes: a damaged one is refused, and what is found lies within the file."""

import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from corral.archive.reading import read_contents
from corral.errors import CliError


def whole(form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, size in (("blobs/sha256-" + "a" * 64, 700), ("manifests/" + "h" * 120 + "/library/bot/latest", 20)):
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = size, {"comment": "ü"}
            tar.addfile(info, io.BytesIO(bytes(size)))
    return out.getvalue()


FORMS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]).map(whole)
CHANGES = st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=24)), max_size=4)


@given(FORMS, CHANGES, st.integers(0, 10_240))
def test_a_damaged_archive_is_refused_or_what_it_holds_lies_within_it(
    content: bytes, changes: list[tuple[int, bytes]], kept: int
) -> None:
    spoilt = bytearray(content[: max(kept, 512)])
    for place, patch in changes:
        spoilt[place : place + len(patch)] = patch
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.tar")
        path.write_bytes(spoilt)
        try:
            contents = read_contents(path)
        except CliError:
            return
        for span in (*contents.manifests.values(), *contents.blobs.values()):
            assert 0 <= span.start <= span.start + span.size <= len(spoilt)


def test_the_archives_that_are_damaged_here_are_good_ones(tmp_path: Path) -> None:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path = tmp_path / "x.tar"
        path.write_bytes(whole(form))
        contents = read_contents(path)
        assert [span.size for span in (*contents.blobs.values(), *contents.manifests.values())] == [700, 20]
