"""Options of requests and models."""

import pytest

from shared.errors import OptionTypeInvalid, ParameterInvalid
from shared.options import (
    STOP_CHARACTERS_MAX,
    STOPS_MAX,
    LoadOptions,
    Options,
    checked_option,
    load_options_from,
    merged,
    options_from,
)


def test_ollamas_defaults() -> None:
    defaults = options_from({})
    assert (defaults.temperature, defaults.top_k, defaults.top_p, defaults.min_p) == (0.8, 40, 0.9, 0.0)
    assert (defaults.typical_p, defaults.repeat_last_n, defaults.repeat_penalty) == (1.0, 64, 1.0)
    assert (defaults.seed, defaults.num_predict, defaults.num_keep, defaults.stop) == (-1, -1, 4, ())


def test_later_layers_replace_earlier_ones_key_by_key() -> None:
    model = {"temperature": 0.1, "stop": ["a", "b"], "top_k": 5}
    request = {"stop": ["c"], "temperature": 0.5}
    assert merged(model, request) == {"temperature": 0.5, "stop": ("c",), "top_k": 5}


def test_null_is_unset_and_unknown_names_are_dropped() -> None:
    assert merged({"top_k": 5}, {"top_k": None, "mirostat": 1}) == {"top_k": 5}


def test_a_fraction_for_an_integer_is_cut_off() -> None:
    assert options_from(merged({"num_ctx": 2048.9})).num_ctx == 2048


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("temperature", "hot", 'option "temperature" must be of type float32'),
        ("temperature", True, 'option "temperature" must be of type float32'),
        ("top_k", "5", 'option "top_k" must be of type integer'),
        ("num_keep", 2**63, 'option "num_keep" must be of type integer'),
        ("num_keep", -1e300, 'option "num_keep" must be of type integer'),
        ("use_mmap", 1, 'option "use_mmap" must be of type boolean'),
        ("stop", "end", 'option "stop" must be of type array'),
        ("stop", ["end", 1], 'option "stop" must be of an array of strings'),
    ],
)
def test_a_wrong_type_is_refused_in_ollamas_words(name: str, value: object, text: str) -> None:
    with pytest.raises(OptionTypeInvalid) as refused:
        merged({name: value})
    assert refused.value.message == text


def test_options_of_loading_and_of_a_request_are_kept_apart() -> None:
    values = merged({"num_gpu": 0, "use_mmap": False, "temperature": 0})
    assert load_options_from(values) == LoadOptions(num_gpu=0, use_mmap=False)
    assert options_from(values) == Options(temperature=0.0)


def test_there_may_be_only_so_many_stop_strings() -> None:
    assert len(checked_option("stop", ["x"] * STOPS_MAX)) == STOPS_MAX  # type: ignore[arg-type]
    for stops in (["x"] * (STOPS_MAX + 1), ["x" * (STOP_CHARACTERS_MAX + 1)]):
        with pytest.raises(ParameterInvalid, match="too many stop strings"):
            checked_option("stop", stops)
