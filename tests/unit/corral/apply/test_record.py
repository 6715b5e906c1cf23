"""What is written beside a model's parts, and read again."""

import json

import pytest

from corral.apply.record import ANNOTATION, Record, read_record, with_record
from corral.manifests import parse_manifest

DIGEST = "sha256:" + "1" * 64
PLAIN = json.dumps(
    {"schemaVersion": 2, "config": {"mediaType": "x", "digest": DIGEST, "size": 1}, "layers": []}
).encode()
RECORD = Record(modelfile='FROM x\nSYSTEM "é\n"\n', base="sha256:b", files="sha256:f", parts="sha256:p")


def test_a_record_is_read_back_and_leaves_the_parts_alone() -> None:
    before = parse_manifest(PLAIN)
    after = parse_manifest(with_record(before, RECORD))
    assert read_record(after) == RECORD
    assert (after.blobs, after.parts_digest) == (before.blobs, before.parts_digest)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "5", '{"modelfile": 1, "base": "", "files": "", "parts": ""}', '{"x": 1}']
)
def test_what_is_no_record_is_none(text: str) -> None:
    manifest = parse_manifest(parse_manifest(PLAIN).with_annotation(ANNOTATION, text))
    assert read_record(manifest) is None


def test_a_model_without_a_record_has_none() -> None:
    assert read_record(parse_manifest(PLAIN)) is None
