"""No damage to a model's JSON files does more than have the model refused."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.conversions import converted
from fakes.tiny_checkpoints import (
    BERT_CONFIG,
    LLAMA_CONFIG,
    bert_weights,
    byte_fallback_tokenizer,
    byte_level_tokenizer,
    llama_weights,
    unigram_tokenizer,
    wordpiece_tokenizer,
    write_folder,
)
from shared.errors import ModelFileInvalid

KINDS = {
    "byte level": (byte_level_tokenizer, LLAMA_CONFIG, llama_weights),
    "byte fallback": (byte_fallback_tokenizer, LLAMA_CONFIG, llama_weights),
    "wordpiece": (wordpiece_tokenizer, BERT_CONFIG, bert_weights),
    "unigram": (unigram_tokenizer, {**BERT_CONFIG, "architectures": ["XLMRobertaModel"]}, bert_weights),
}
TOKENIZER_CONFIG = {
    "bos_token": "<s>",
    "cls_token": {"content": "[CLS]"},
    "add_bos_token": None,
    "chat_template": [{"name": "default", "template": "x"}],
    "added_tokens_decoder": {"0": {"content": "a", "special": True}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from([2**31, 2**64]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=3,
)


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    make_tokenizer, base, make_weights = request.param
    folder = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer()
    config = {**base, "vocab_size": tokenizer.get_vocab_size(), "num_hidden_layers": 1}
    found = write_folder(folder, config, make_weights(config), tokenizer)
    found["tokenizer_config.json"] = folder / "tokenizer_config.json"
    found["tokenizer_config.json"].write_text(json.dumps(TOKENIZER_CONFIG), encoding="utf-8")
    return found


def damaged(data: st.DataObject, node: Any, depth: int = 0) -> Any:
    """The same JSON with one value somewhere replaced or removed."""
    keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    if not keys or (depth and data.draw(st.integers(0, 3)) == 0):
        return data.draw(JSON)
    key = data.draw(st.sampled_from(keys[:50]))
    copy = node.copy()
    if data.draw(st.integers(0, 7)) == 0:
        del copy[key]
    else:
        copy[key] = damaged(data, node[key], depth + 1)
    return copy


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_json_is_read_or_refused_and_nothing_else(
    files: dict[str, Path], tmp_path: Path, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["config.json", "tokenizer.json", "tokenizer_config.json"]))
    changed = tmp_path / "changed"
    changed.write_text(json.dumps(damaged(data, json.loads(files[name].read_text(encoding="utf-8")))), encoding="utf-8")
    with contextlib.suppress(ModelFileInvalid):
        converted({**files, name: changed}, tmp_path)
