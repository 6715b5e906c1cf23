"""`info` corrects what the config says of a model."""

import pytest

from services.registry.building.info import Info, parse_info
from shared.errors import ParameterInvalid
from shared.manifest import ModelConfig


def test_every_key_has_its_place_in_the_config() -> None:
    info = parse_info(
        {
            "capabilities": ["vision", "tools"], "model_family": "f", "base_name": "b", "quantization_level": "Q4_0",
            "parameter_size": "7B", "context_length": 4096, "embedding_length": 512.0, "unknown": object(),
        }
    )  # fmt: skip
    config = info.applied_to(ModelConfig(model_family="old", model_type="1B", capabilities=("tools",)))
    assert config == ModelConfig(
        model_family="f", base_name="b", file_type="Q4_0", model_type="7B", context_length=4096, embedding_length=512,
        capabilities=("tools", "vision"),
    )  # fmt: skip


def test_empty_values_leave_the_config_as_it_is() -> None:
    info = parse_info({"model_family": "", "context_length": 0, "capabilities": None})
    assert info == Info()
    assert info.applied_to(ModelConfig(model_family="f")) == ModelConfig(model_family="f")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"model_family": 1}, 'info field "model_family" must be a string'),
        ({"base_name": None}, 'info field "base_name" must be a string'),
        ({"context_length": "4096"}, 'info field "context_length" must be a number'),
        ({"context_length": True}, 'info field "context_length" must be a number'),
        ({"context_length": -1}, 'info field "context_length" must be a non-negative integer'),
        ({"embedding_length": 1.5}, 'info field "embedding_length" must be a non-negative integer'),
        ({"embedding_length": float("inf")}, 'info field "embedding_length" must be a non-negative integer'),
        ({"capabilities": "vision"}, 'info field "capabilities" must be a list of strings'),
        ({"capabilities": [1]}, 'info field "capabilities" must be a list of strings'),
    ],
)
def test_values_of_the_wrong_type_are_refused_in_ollamas_words(values: dict[str, object], text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parse_info(values)
    assert refused.value.message == text
