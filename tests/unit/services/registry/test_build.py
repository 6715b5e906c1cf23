"""Which layers a new model has: the base's, what the request replaces, what it adds."""

import json

import pytest

from services.registry.build import Base, NewLayer, base_of_file, layers_of
from services.registry.model_facts import ModelFacts
from services.registry.requests import CreateRequest
from shared.digest import digest_of
from shared.errors import OptionTypeInvalid, ParameterInvalid
from shared.generation import Message
from shared.manifest import Layer, MediaType, ModelConfig
from shared.model_name import parse_model_name

WEIGHTS = Layer(media_type=MediaType.MODEL, digest=digest_of(b"weights"), size=7)
SYSTEM = Layer(media_type=MediaType.SYSTEM, digest=digest_of(b"old"), size=3)
MIT = Layer(media_type=MediaType.LICENSE, digest=digest_of(b"MIT"), size=3)
UNKNOWN = Layer(media_type="application/x-later", digest=digest_of(b"?"), size=1)
BASE = Base(
    layers=(WEIGHTS, SYSTEM, MIT, UNKNOWN), params={"seed": 1, "mirostat": 2, "stop": ["a"]}, config=ModelConfig()
)


def request(**fields: object) -> CreateRequest:
    wanted: dict[str, object] = {
        "name": parse_model_name("m"), "base": parse_model_name("b"), "file": None, "stream": True, **fields,
    }  # fmt: skip
    return CreateRequest(**wanted)  # type: ignore[arg-type]


def contents(**fields: object) -> dict[str, bytes]:
    return {
        layer.media_type: layer.content for layer in layers_of(BASE, request(**fields)) if isinstance(layer, NewLayer)
    }


def test_a_request_that_changes_nothing_keeps_every_layer() -> None:
    assert layers_of(BASE, request()) == BASE.layers


def test_a_system_prompt_replaces_the_bases() -> None:
    layers = layers_of(BASE, request(system="new"))
    assert layers == (WEIGHTS, MIT, UNKNOWN, NewLayer(media_type=MediaType.SYSTEM, content=b"new"))


def test_a_template_replaces_also_the_legacy_kind() -> None:
    legacy = Layer(media_type=MediaType.PROMPT, digest=digest_of(b"p"), size=1)
    base = Base(layers=(WEIGHTS, legacy), params={}, config=ModelConfig())
    assert [layer.media_type for layer in layers_of(base, request(template="t"))] == [
        MediaType.MODEL, MediaType.TEMPLATE,
    ]  # fmt: skip


def test_licenses_are_added_once() -> None:
    layers = layers_of(BASE, request(licenses=("MIT", "BSD", "BSD")))
    assert layers == (*BASE.layers, NewLayer(media_type=MediaType.LICENSE, content=b"BSD"))


def test_parameters_are_merged_key_by_key_and_unknown_new_ones_are_dropped() -> None:
    params = json.loads(
        contents(parameters={"seed": 2.9, "stop": ["b"], "nonsense": 1, "top_k": None})[MediaType.PARAMS]
    )
    assert params == {"seed": 2, "mirostat": 2, "stop": ["b"]}


def test_a_parameter_of_the_wrong_type_is_refused_in_ollamas_words() -> None:
    with pytest.raises(OptionTypeInvalid) as caught:
        layers_of(BASE, request(parameters={"temperature": "hot"}))
    assert caught.value.message == 'option "temperature" must be of type float32'


def test_messages_replace_and_keep_empty_content() -> None:
    written = contents(messages=(Message("user", "hi"), Message("assistant", "")))[MediaType.MESSAGES]
    assert json.loads(written) == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": ""}]


def facts(role: str) -> ModelFacts:
    return ModelFacts(
        architecture="llama", role=role, parameter_count=137_000_000, file_type="Q4_1", context_length=2048,
        embedding_length=64, block_count=2, kv_bytes_per_token=1, is_embedding=False,
    )  # fmt: skip


def test_a_file_gives_one_layer_and_the_config_its_header_says() -> None:
    base = base_of_file(WEIGHTS.digest, 7, facts("model"))
    assert base.layers == (WEIGHTS,)
    assert (base.config.model_family, base.config.model_type, base.config.file_type) == ("llama", "137M", "Q4_1")


@pytest.mark.parametrize("role", ["adapter", "mmproj", "imatrix"])
def test_a_file_that_is_no_models_weights_is_refused(role: str) -> None:
    with pytest.raises(ParameterInvalid):
        base_of_file(WEIGHTS.digest, 7, facts(role))
