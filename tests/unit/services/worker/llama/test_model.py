"""llama.cpp as the worker opens it: what goes wrong becomes an error with a reason."""

from collections.abc import Iterator
from pathlib import Path

import llama_cpp as lib
import pytest
from msgspec import structs

from fakes.gguf_files import real_model, tiny_model
from fakes.llama_models import write_adapter, write_llama
from services.worker.engine.backend import DecodeFailed, KvCacheFull, Run
from services.worker.llama.model import LlamaBackend
from services.worker.llama.params import LlamaParams
from shared.errors import ModelLoadFailed
from shared.options import Options


def params(path: Path, *, n_ctx_seq: int = 256) -> LlamaParams:
    return LlamaParams(path=str(path), n_ctx_seq=n_ctx_seq, n_seq_max=2, n_batch=64, n_threads=1, n_gpu_layers=0)


@pytest.fixture(scope="module")
def opened() -> Iterator[LlamaBackend]:
    backend = LlamaBackend(params(real_model()))
    yield backend
    backend.close()


@pytest.fixture
def backend(opened: LlamaBackend) -> LlamaBackend:
    for slot in range(opened.slots_count):
        opened.truncate(slot, 0)
    return opened


def fill(backend: LlamaBackend, slot: int, tokens: list[int]) -> None:
    for start in range(0, len(tokens), 64):
        backend.decode([Run(slot, start, tokens[start : start + 64], True)])


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all", tiny_model()])
def test_a_file_llama_cannot_load_is_refused_with_its_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelLoadFailed) as refused:
        LlamaBackend(params(path))
    assert "llama.cpp could not load the model: " in refused.value.message
    assert not refused.value.message.endswith(": ")


def test_a_context_is_never_larger_than_the_model_was_trained_for() -> None:
    backend = LlamaBackend(params(real_model(), n_ctx_seq=1_000_000))
    assert backend.context_tokens == backend.n_ctx_train
    backend.close()


def test_a_model_for_the_cpu_alone_has_all_its_layers_there(backend: LlamaBackend) -> None:
    assert backend.layers_count == 31
    assert (backend.device_layers_count, backend.devices()) == (0, ())


def test_the_template_and_the_special_tokens_texts_come_from_the_file(backend: LlamaBackend) -> None:
    assert backend.chat_template is not None
    assert "<|im_start|>" in backend.chat_template
    assert backend.vocabulary.eos_text == "<|im_end|>"


def test_the_end_of_turn_token_ends_a_generation_and_has_no_bytes(backend: LlamaBackend) -> None:
    (token,) = backend.vocabulary.tokenize("<|im_end|>", add_special=False)
    assert backend.vocabulary.ends_generation(token)
    assert backend.vocabulary.piece(token) == b""


def test_a_full_slot_is_an_error_that_leaves_the_others_alone(backend: LlamaBackend) -> None:
    tokens = backend.vocabulary.tokenize("sea " * 300, add_special=False)[:256]
    fill(backend, 0, tokens)
    with pytest.raises(KvCacheFull):
        backend.decode([Run(0, 256, tokens[:1], True)])
    backend.decode([Run(1, 0, tokens[:5], True)])
    assert backend.sampler(Options(temperature=0), tokens[:5]).sample(4) >= 0


def test_a_token_the_model_does_not_have_is_an_error_the_slot_recovers_from(backend: LlamaBackend) -> None:
    with pytest.raises(DecodeFailed):
        backend.decode([Run(0, 0, [backend.vocabulary.tokens_count], True)])
    backend.truncate(0, 0)
    backend.decode([Run(0, 0, [1, 2, 3], True)])


def last_logits(backend: LlamaBackend) -> list[float]:
    """What the model makes of a few tokens in slot 0."""
    backend.truncate(0, 0)
    backend.decode([Run(0, 0, [5, 6, 7, 8], True)])
    return [round(float(value), 3) for value in lib.llama_get_logits_ith(backend._ctx, -1)[:8]]


def test_an_adapter_changes_what_a_model_says_and_a_growing_context_keeps_it(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "model.gguf")
    said: dict[float | None, list[float]] = {}
    for strength in (None, 0.0, 1.0):
        adapters = () if strength is None else (str(write_adapter(tmp_path / f"{strength}.gguf", strength=strength)),)
        backend = LlamaBackend(structs.replace(params(model, n_ctx_seq=64), adapters=adapters))
        said[strength] = last_logits(backend)
        backend.grow(128)
        assert last_logits(backend) == said[strength]
        backend.close()
    assert said[0.0] == said[None]
    assert said[1.0] != said[None]


@pytest.mark.parametrize("content", [b"", b"GGUF", tiny_model()])
def test_an_adapter_that_llama_cannot_load_is_refused_with_its_reason(tmp_path: Path, content: bytes) -> None:
    model, broken = write_llama(tmp_path / "model.gguf"), tmp_path / "broken.gguf"
    broken.write_bytes(content)
    with pytest.raises(ModelLoadFailed) as refused:
        LlamaBackend(structs.replace(params(model), adapters=(str(broken),)))
    assert "llama.cpp could not load the adapter: " in refused.value.message
