"""Reading OpenAI's text completion requests."""

import json
from typing import Any

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.openai_completions import CompletionCall, parse_completion
from shared.errors import ParameterInvalid
from shared.generation import Sampling


def parsed(**fields: Any) -> CompletionCall:
    return parse_completion(json.dumps({"model": "m", "prompt": "a", **fields}).encode())


def test_the_defaults_are_openais() -> None:
    call = parsed()
    assert (call.stream, call.include_usage, call.choices_per_prompt, call.echoes) == (False, False, 1, ())
    assert call.asked == Asked()
    assert call.options == {"temperature": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        (None, ("",)),
        ("a", ("a",)),
        (["a", ""], ("a", "")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
    ],
)
def test_every_form_of_a_prompt_is_read(prompt: object, prompts: tuple[object, ...]) -> None:
    assert parsed(prompt=prompt).prompts == prompts


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"prompt": 1}, "prompt must be a string, a list of strings, a list of tokens, or a list of those"),
        ({"prompt": []}, "prompt must be a string, a list of strings, a list of tokens, or a list of those"),
        ({"prompt": ["a", 1]}, "a prompt of tokens must be a list of integers that is not empty"),
        ({"prompt": [True]}, "a prompt of tokens must be a list of integers that is not empty"),
        ({"prompt": [[1], []]}, "a prompt of tokens must be a list of integers that is not empty"),
        ({"prompt": [1], "echo": True}, "echo needs prompts that are text"),
        ({"prompt": [1], "suffix": "b"}, "suffix needs prompts that are text"),
        ({"logprobs": 6}, "logprobs must be between 0 and 5"),
        ({"logprobs": -1}, "logprobs must be between 0 and 5"),
        (
            {"logprobs": 0, "echo": True},
            "echo and logprobs exclude each other: a prompt's log-probabilities are not computed",
        ),
        ({"best_of": 2}, "best_of must equal n: answers are not ranked"),
        ({"stop": 1}, "invalid type for 'stop' field: float64"),
        ({"stop": [1]}, "stop must be a string or a list of strings"),
    ],
)
def test_a_request_that_cannot_be_understood_says_why(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parsed(**fields)
    assert refused.value.message == text


def test_options_have_their_names_here() -> None:
    call = parsed(max_tokens=5, temperature=0, top_p=0.5, seed=3, stop="END", presence_penalty=1, frequency_penalty=2)
    assert call.options == {
        "num_predict": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 3,
        "stop": ["END"],
        "presence_penalty": 1.0,
        "frequency_penalty": 2.0,
    }


def test_several_answers_and_echoes_are_asked_for() -> None:
    call = parsed(prompt=["a", "b"], n=2, best_of=2, echo=True, stream=True, stream_options={"include_usage": True})
    assert (call.choices_per_prompt, call.echoes, call.stream, call.include_usage) == (2, ("a", "b"), True, True)


def test_an_empty_body_has_gos_words() -> None:
    with pytest.raises(ParameterInvalid, match=r"^EOF$"):
        parse_completion(b" ")


def test_a_suffix_a_bias_and_log_probabilities_are_passed_on() -> None:
    call = parsed(suffix="b", logprobs=5, logit_bias={"7": -1}, keep_alive=0)
    assert (call.suffix, call.asked, call.keep_alive_s) == ("b", Asked(insert=True), 0.0)
    assert call.sampling == Sampling(top_logprobs=5, logit_bias={7: -1.0})
    assert parsed(suffix="", logprobs=None, logit_bias={}).sampling == Sampling()
