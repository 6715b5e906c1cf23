"""Names of an archive's members."""

import pytest

from corral.archive.layout import blob_member, manifest_member, parse_member
from corral.errors import CliError
from corral.model_names import parse_model_name

DIGEST = "sha256:" + "a" * 64


def test_members_lie_where_ollama_keeps_them() -> None:
    assert blob_member(DIGEST) == f"blobs/sha256-{'a' * 64}"
    assert manifest_member(parse_model_name("bot:1")) == "manifests/registry.ollama.ai/library/bot/1"


def test_names_are_read_back_with_or_without_a_leading_dot() -> None:
    name = parse_model_name("llm.internal/team/bot:1")
    for prefix in ("", "./"):
        assert parse_member(prefix + blob_member(DIGEST)) == DIGEST
        assert parse_member(prefix + manifest_member(name)) == name


@pytest.mark.parametrize(
    "path",
    [
        "",
        "README",
        "/blobs/sha256-" + "a" * 64,
        "../blobs/sha256-" + "a" * 64,
        "blobs/sha256-" + "A" * 64,
        "blobs/sha256-" + "a" * 64 + "-partial",
        "blobs/sha256:" + "a" * 64,
        "manifests/registry.ollama.ai/library/bot",
        "manifests/registry.ollama.ai/library/bot/1/2",
        "manifests/../library/bot/1",
        "manifests/registry.ollama.ai/../bot/1",
        "manifests/registry.ollama.ai/library/bot/..",
        "././blobs/sha256-" + "a" * 64,
    ],
)
def test_any_other_name_is_refused(path: str) -> None:
    with pytest.raises(CliError):
        parse_member(path)
