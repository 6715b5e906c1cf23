"""Which layers a new model has: the base's, what the request replaces, what it adds."""

import json
from typing import Any

import msgspec
import pytest

from services.registry.building.info import Info
from services.registry.building.layers import (
    Base,
    NewLayer,
    Part,
    base_of_weights,
    config_of,
    layers_of,
    with_adapter,
    with_draft,
    with_projector,
    with_weights,
)
from services.registry.building.request import CreateRequest
from services.registry.model_facts import ModelFacts
from shared.digest import digest_of
from shared.generation import Message
from shared.manifest import Layer, MediaType, ModelConfig
from shared.model_name import parse_model_name

WEIGHTS = Layer(media_type=MediaType.MODEL, digest=digest_of(b"weights"), size=7)
SYSTEM = Layer(media_type=MediaType.SYSTEM, digest=digest_of(b"old"), size=3)
MIT = Layer(media_type=MediaType.LICENSE, digest=digest_of(b"MIT"), size=3)
UNKNOWN = Layer(media_type="application/x-later", digest=digest_of(b"?"), size=1)
BASE = Base(layers=(WEIGHTS, SYSTEM, MIT, UNKNOWN), params={"seed": 1, "mirostat": 2, "stop": ["a"]})
PARAMS = Layer(media_type=MediaType.PARAMS, digest=digest_of(b"params"), size=6)


def request(**fields: Any) -> CreateRequest:
    return CreateRequest(name=parse_model_name("m"), **fields)


def contents(base: Base = BASE, **fields: Any) -> dict[str, bytes]:
    layers = layers_of(base, request(**fields))
    return {layer.media_type: layer.content for layer in layers if isinstance(layer, NewLayer)}


def part(content: bytes = b"weights", **changes: Any) -> Part:
    facts = ModelFacts(
        architecture="llama", role="model", parameter_count=137_000_000, file_type="Q4_1", context_length=2048,
        embedding_length=64, block_count=2, kv_bytes_per_token=1, is_embedding=False,
    )  # fmt: skip
    facts = msgspec.structs.replace(facts, **changes)
    return Part(digest=digest_of(content), size_bytes=len(content), facts=facts)


def test_a_request_that_changes_nothing_keeps_every_layer() -> None:
    base = msgspec.structs.replace(BASE, layers=(*BASE.layers, PARAMS))
    assert layers_of(base, request()) == base.layers


def test_a_system_prompt_replaces_the_bases_and_an_empty_one_does_not() -> None:
    base = Base(layers=BASE.layers)
    assert layers_of(base, request(system="new")) == (
        WEIGHTS, MIT, UNKNOWN, NewLayer(media_type=MediaType.SYSTEM, content=b"new"),
    )  # fmt: skip
    assert layers_of(base, request(system="")) == base.layers


def test_a_template_replaces_also_the_legacy_kind() -> None:
    legacy = Layer(media_type=MediaType.PROMPT, digest=digest_of(b"p"), size=1)
    layers = layers_of(Base(layers=(WEIGHTS, legacy)), request(template="t"))
    assert [layer.media_type for layer in layers] == [MediaType.MODEL, MediaType.TEMPLATE]


def test_licenses_are_added_once() -> None:
    base = Base(layers=BASE.layers)
    layers = layers_of(base, request(licenses=("MIT", "BSD", "BSD")))
    assert layers == (*base.layers, NewLayer(media_type=MediaType.LICENSE, content=b"BSD"))


def test_parameters_are_merged_key_by_key() -> None:
    params = json.loads(contents(parameters={"seed": 2, "top_k": 5})[MediaType.PARAMS])
    assert params == {"seed": 2, "mirostat": 2, "stop": ["a"], "top_k": 5}


def test_messages_replace_and_keep_empty_content() -> None:
    written = contents(messages=(Message("user", "hi"), Message("assistant", "")))[MediaType.MESSAGES]
    assert json.loads(written) == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": ""}]


def test_weights_give_one_layer_and_the_config_their_header_says() -> None:
    base = base_of_weights(part())
    assert base.layers == (WEIGHTS,)
    assert (base.config.model_family, base.config.model_type, base.config.file_type) == ("llama", "137M", "Q4_1")
    assert (base.config.renderer, base.params) == ("", {})


@pytest.mark.parametrize(
    ("architecture", "renderer", "params"),
    [
        ("gemma4", "gemma4", {"stop": ["<turn|>"]}),
        ("laguna", "laguna", {}),
        ("nemotron_h", "nemotron-3-nano", {}),
        ("nemotron_h_moe", "nemotron-3-nano", {}),
    ],
)
def test_some_architectures_bring_their_renderer_and_stops(
    architecture: str, renderer: str, params: dict[str, object]
) -> None:
    base = base_of_weights(part(architecture=architecture))
    assert (base.config.renderer, base.config.parser, base.params) == (renderer, renderer, params)
    written = contents(base)
    assert ({} if not params else json.loads(written[MediaType.PARAMS])) == params
    config = json.loads(config_of(base, request(parser="mine")).content)
    assert (config["renderer"], config["parser"]) == (renderer, "mine")


def test_the_config_is_the_bases_with_what_the_request_says_otherwise() -> None:
    base = Base(config=ModelConfig(renderer="r", parser="p", requires="0.1.0", model_family="f", base_name="b"))
    assert json.loads(config_of(base, request()).content) == {
        "model_family": "f", "architecture": "amd64", "os": "linux", "renderer": "r", "parser": "p",
        "requires": "0.1.0", "base_name": "b",
    }  # fmt: skip
    changed = json.loads(config_of(base, request(requires="0.2.0", info=Info(fields={"model_family": "g"}))).content)
    assert (changed["requires"], changed["model_family"], changed["renderer"]) == ("0.2.0", "g", "r")


def test_quantized_weights_take_the_place_of_the_old_ones() -> None:
    base = with_weights(BASE, WEIGHTS.digest, part(b"small", file_type="Q8_0"))
    assert [layer.digest for layer in base.layers] == [
        digest_of(b"small"), SYSTEM.digest, MIT.digest, UNKNOWN.digest,
    ]  # fmt: skip
    assert base.config.file_type == "Q8_0"


def test_projectors_and_adapters_are_added_and_a_draft_is_replaced() -> None:
    base = with_projector(base_of_weights(part()), part(b"p", architecture="clip"))
    assert base.config.model_families == ("llama", "clip")
    base = with_adapter(with_adapter(base, part(b"a")), part(b"b"))
    base = with_draft(with_draft(base, part(b"d")), part(b"e"))
    assert [(layer.media_type, layer.digest) for layer in base.layers] == [
        (MediaType.MODEL, digest_of(b"weights")),
        (MediaType.PROJECTOR, digest_of(b"p")),
        (MediaType.ADAPTER, digest_of(b"a")),
        (MediaType.ADAPTER, digest_of(b"b")),
        (MediaType.DRAFT, digest_of(b"e")),
    ]
