"""What `corral apply` writes beside a model's parts: what it was made from, and what came of it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final

from corral.manifests import Manifest

ANNOTATION: Final = "corral.apply"
TEXT_BYTES_MAX: Final = 1 << 20
"""The largest Modelfile that is recorded as it is; registries take manifests of 4 MiB."""


@dataclass(frozen=True)
class Record:
    """`modelfile` is the canonical text (see `recorded_text`); the rest are digests.

    `base` stands for the parts of the model it was made from (a pinned one: the pin; none: empty), `files` for the
    local files, `parts` for the parts of the model that was made.
    """

    modelfile: str
    base: str
    files: str
    parts: str


def recorded_text(text: str) -> str:
    """What is recorded of a Modelfile: the text, or in place of a very long one its digest."""
    content = text.encode()
    return text if len(content) <= TEXT_BYTES_MAX else "sha256:" + hashlib.sha256(content).hexdigest()


def read_record(manifest: Manifest) -> Record | None:
    """What was applied; None for a model that `corral apply` did not make."""
    try:
        values = json.loads(manifest.annotations.get(ANNOTATION, "null"))
        record = Record(**values)
    except (ValueError, TypeError):
        return None
    return record if all(isinstance(value, str) for value in asdict(record).values()) else None


def with_record(manifest: Manifest, record: Record) -> bytes:
    """The manifest's bytes with the record in them."""
    return manifest.with_annotation(ANNOTATION, json.dumps(asdict(record), ensure_ascii=False, sort_keys=True))
