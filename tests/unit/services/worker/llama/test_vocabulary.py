"""Prompts become tokens: a beginning-of-text token stands there once, whoever wrote it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.llama_models import write_llama
from services.worker.chat_template.render import render
from services.worker.llama.model import LlamaBackend
from services.worker.llama.params import LlamaParams
from services.worker.llama.vocabulary import LlamaVocabulary
from shared.generation import ChatPrompt, Message

BOS = 1
HELLO = (Message("user", "a"),)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaVocabulary]:
    path: Path = write_llama(tmp_path_factory.mktemp("vocabulary") / "tiny.gguf")
    backend = LlamaBackend(
        LlamaParams(path=str(path), n_ctx_seq=64, n_seq_max=1, n_batch=16, n_threads=1, n_gpu_layers=0)
    )
    yield backend.vocabulary
    backend.close()


@pytest.mark.parametrize(
    "prompt",
    [
        ChatPrompt(messages=HELLO, template="<s>{{ .Prompt }}"),
        ChatPrompt(messages=HELLO, template="{{ .Prompt }}"),
        ChatPrompt(messages=HELLO, template="<s>{{ range .Messages }}{{ .Content }}{{ end }}"),
        ChatPrompt(messages=HELLO),
    ],
    ids=["Go, turns", "Go without it", "Go, messages", "Jinja"],
)
def test_a_beginning_that_a_template_writes_is_not_doubled(vocabulary: LlamaVocabulary, prompt: ChatPrompt) -> None:
    jinja = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    text = render(prompt, jinja_source=jinja, bos_token=vocabulary.bos_text, eos_token=vocabulary.eos_text)
    tokens = vocabulary.tokenize(text, add_special=True)
    assert tokens == vocabulary.tokenize("a", add_special=True)
    assert tokens.count(BOS) == 1
    assert tokens[0] == BOS
