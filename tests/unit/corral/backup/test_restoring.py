"""What becomes of a model of a backup, and where its missing parts may come from."""

import pytest

from corral.backup.restoring import Fate, Restored, fate_of, sources_of
from corral.manifests import Blob
from corral.model_names import parse_model_name


@pytest.mark.parametrize(
    ("here", "replace", "wanted"),
    [
        (None, False, Fate.ADDED),
        (None, True, Fate.ADDED),
        ("sha256:a", False, Fate.SAME),
        ("sha256:a", True, Fate.SAME),
        ("sha256:b", False, Fate.KEPT),
        ("sha256:b", True, Fate.REPLACED),
    ],
)
def test_a_model_that_differs_is_newer_and_stays_unless_told_otherwise(
    here: str | None, replace: bool, wanted: Fate
) -> None:
    assert fate_of("sha256:a", here, replace=replace) is wanted


def lacking(name: str, *origins: str) -> Restored:
    blobs = tuple(Blob("x", "sha256:" + "a" * 64, 1, origin) for origin in origins)
    return Restored(parse_model_name(name), Fate.LACKS, blobs)


def test_parts_come_from_the_model_they_were_taken_from_or_from_their_own_and_each_is_named_once() -> None:
    several = [lacking("bot", "llama3.2", "hf.co/a/b:Q4"), lacking("other", "llama3.2:latest"), lacking("base", "")]
    assert sources_of(several) == ["llama3.2:latest", "hf.co/a/b:Q4", "base:latest"]


def test_the_path_of_a_file_is_nothing_to_pull() -> None:
    assert sources_of([lacking("bot", "/home/ann/.ollama/models/blobs/sha256-aa")]) == ["bot:latest"]
