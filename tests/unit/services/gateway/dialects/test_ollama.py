"""Reading Ollama's requests."""

import json

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.ollama import keep_alive_s, parse_chat, parse_generate
from services.gateway.dialects.schemas import json_schema_text
from shared.errors import ParameterInvalid
from shared.generation import Message, Sampling


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        (0, 0.0),
        (1.5, 1.5),
        (-1, -1.0),
        (-0.5, -1.0),
        ("0", 0.0),
        ("5m0s", 300.0),
        ("-1m", -1.0),
        (1e12, -1.0),
    ],
)
def test_keep_alive_is_seconds_or_gos_text(value: object, seconds: float | None) -> None:
    assert keep_alive_s(value) == seconds


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (True, "Unsupported type: 'bool'"),
        ([], "Unsupported type: '[]interface {}'"),
        ({}, "Unsupported type: 'map[string]interface {}'"),
        ("-1", 'time: missing unit in duration "-1"'),
    ],
)
def test_any_other_keep_alive_is_refused(value: object, error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        keep_alive_s(value)
    assert refused.value.message == error


def test_what_the_command_line_sends_asks_for_nothing_special() -> None:
    body = (
        b'{"model":"m","prompt":"p","suffix":"","system":"","template":"","context":null,"stream":null,"raw":false,'
        b'"format":"","keep_alive":null,"images":null,"options":null,"think":null,"truncate":null,"shift":null}'
    )
    call = parse_generate(body)
    assert call.asked == Asked()
    assert (call.stream, call.truncate, call.keep_alive_s, call.options) == (True, True, None, {})


def test_keys_match_in_any_letter_case_and_unknown_ones_do_not_matter() -> None:
    call = parse_chat(
        b'{"MODEL":"m","Stream":false,"nothing":1,"messages":[{"Role":"SYSTEM","content":null}]} trailing'
    )
    assert (call.model, call.stream, call.messages) == ("m", False, (Message("system", ""),))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"suffix": "x"}, Asked(insert=True)),
        ({"think": "max"}, Asked(thinking=True)),
        ({"think": False}, Asked()),
        ({"images": ["aGk="]}, Asked(images=True)),
        ({"format": {"type": "object"}, "logprobs": True}, Asked()),
        ({"shift": False}, Asked()),
        ({"shift": True, "_debug_render_only": True}, Asked(unserved=("shift", "_debug_render_only"))),
    ],
)
def test_features_are_noted_and_never_dropped(fields: dict[str, object], asked: Asked) -> None:
    assert parse_generate(json.dumps(fields).encode()).asked == asked


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]},
        {"role": "tool", "content": "4"},
    ],
)
def test_a_history_with_tools_needs_them(message: dict[str, object]) -> None:
    assert parse_chat(json.dumps({"messages": [message]}).encode()).asked == Asked(tools=True)


def test_a_context_holds_whole_numbers() -> None:
    assert parse_generate(b'{"context":[1,2]}').context == (1, 2)
    with pytest.raises(ParameterInvalid) as refused:
        parse_generate(b'{"context":["a"]}')
    assert refused.value.message == (
        "json: cannot unmarshal string into Go struct field GenerateRequest.context of type int"
    )


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({}, Sampling()),
        ({"format": ""}, Sampling()),
        ({"format": None}, Sampling()),
        ({"format": "json"}, Sampling(json_schema='{"type":"object"}')),
        ({"format": {"b": 1, "a": "é"}}, Sampling(json_schema='{"b":1,"a":"é"}')),
        ({"logprobs": True}, Sampling(top_logprobs=0)),
        ({"logprobs": True, "top_logprobs": 20}, Sampling(top_logprobs=20)),
        ({"logprobs": False, "top_logprobs": 3}, Sampling()),
    ],
)
def test_formats_and_log_probabilities_are_passed_on(fields: dict[str, object], sampling: Sampling) -> None:
    body = json.dumps({"model": "m", **fields}).encode()
    assert parse_generate(body).sampling == sampling
    assert parse_chat(body).sampling == sampling


def test_a_schema_nested_beyond_reason_is_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"items": deep}
    with pytest.raises(ParameterInvalid, match="nested too deeply"):
        json_schema_text(deep)
