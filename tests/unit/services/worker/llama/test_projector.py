"""What a projector keeps, and where it looks for images."""

import numpy as np

from services.worker.chat_template.images import IMAGE_MARKER
from services.worker.llama.projector import MARKER, Embedding, Embeddings


def of_bytes(size_bytes: int) -> Embedding:
    return np.zeros(size_bytes // 4, np.float32)


def test_templates_mark_the_places_that_the_projector_looks_for() -> None:
    assert MARKER == IMAGE_MARKER


def test_embeddings_are_kept_up_to_their_limit_and_those_used_last_stay() -> None:
    kept = Embeddings(size_bytes_max=120)
    for key in ("a", "b", "c"):
        kept.put(key, of_bytes(40))
    assert kept.get("a") is not None
    kept.put("d", of_bytes(40))
    assert [key for key in ("a", "b", "c", "d") if kept.get(key) is not None] == ["a", "c", "d"]


def test_an_embedding_larger_than_the_limit_is_not_kept() -> None:
    kept = Embeddings(size_bytes_max=120)
    kept.put("a", of_bytes(40))
    kept.put("huge", of_bytes(160))
    assert kept.get("huge") is None
    kept.put("b", of_bytes(120))
    assert kept.get("b") is not None
