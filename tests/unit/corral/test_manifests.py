"""Manifests, honest and otherwise."""

import json
from typing import Any

import pytest

from corral.errors import CliError
from corral.manifests import BLOB_BYTES_MAX, Blob, parse_manifest

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def layer(digest: str = ONE, size: object = 1, media_type: str = "x") -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def document(**changes: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": layer(TWO), "layers": [layer()], **changes}).encode()


def test_parts_are_read_and_each_blob_counts_once() -> None:
    manifest = parse_manifest(document(layers=[layer(), layer(), layer(TWO)]))
    assert manifest.blobs == (Blob("x", TWO, 1), Blob("x", ONE, 1))


def test_the_parts_digest_depends_on_the_parts_and_their_order_alone() -> None:
    plain = parse_manifest(document())
    assert parse_manifest(document(annotations={"a": "b"})).parts_digest == plain.parts_digest
    others = [
        document(layers=[]),
        document(layers=[layer(TWO)]),
        document(config=layer(ONE)),
        document(layers=[layer(media_type="y")]),
    ]
    assert plain.parts_digest not in {parse_manifest(other).parts_digest for other in others}


def test_an_annotation_is_added_and_everything_else_stays() -> None:
    before = parse_manifest(document(annotations={"a": "b"}, unknown=[1]))
    after = json.loads(before.with_annotation("corral", "ü"))
    assert after == {**json.loads(before.content), "annotations": {"a": "b", "corral": "ü"}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        document(schemaVersion=1),
        document(config=None),
        document(layers=5),
        document(layers=[5]),
        document(annotations=[1]),
        document(layers=[layer("sha256:" + "A" * 64)]),
        document(layers=[layer("sha256:../../etc/passwd")]),
        document(layers=[layer(size=-1)]),
        document(layers=[layer(size=True)]),
        document(layers=[layer(size="1")]),
        document(layers=[layer(size=BLOB_BYTES_MAX + 1)]),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(CliError):
        parse_manifest(content)


def test_a_blob_may_be_as_large_as_the_limit() -> None:
    assert parse_manifest(document(layers=[layer(size=BLOB_BYTES_MAX)])).layers[0].size == BLOB_BYTES_MAX
