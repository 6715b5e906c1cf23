"""Reading Ollama's requests."""

import base64
import json

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.ollama import ChatCall, check_combination, keep_alive_s, parse_chat, parse_generate
from services.gateway.dialects.schemas import json_schema_text
from shared.errors import ParameterInvalid
from shared.generation import Message, Sampling, ToolCall

CALL = {"id": "call_1", "function": {"index": 3, "name": "add", "arguments": {"b": 2, "a": {"z": 1, "y": "é"}}}}


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
        ({"shift": True, "_debug_render_only": True}, Asked()),
    ],
)
def test_features_are_noted_and_never_dropped(fields: dict[str, object], asked: Asked) -> None:
    assert parse_generate(json.dumps(fields).encode()).asked == asked


def chat(*messages: dict[str, object], **fields: object) -> ChatCall:
    return parse_chat(json.dumps({"messages": messages, **fields}).encode())


def test_a_message_keeps_everything_a_client_said() -> None:
    call = chat(
        {"role": "Assistant", "content": "Hm", "thinking": "2+2", "tool_calls": [CALL]},
        {"role": "TOOL", "content": "4", "tool_name": "add", "tool_call_id": "call_1"},
        {"role": "user", "content": "And this?", "images": ["aGk=", None, "AAEC"]},
    )
    assert call.messages == (
        Message("assistant", "Hm", "2+2", (ToolCall("add", '{"b":2,"a":{"z":1,"y":"é"}}', "call_1"),)),
        Message("tool", "4", tool_name="add", tool_call_id="call_1"),
        Message("user", "And this?", images=(b"hi", b"\x00\x01\x02")),
    )
    assert call.asked == Asked(images=True)


def test_a_prompt_to_generate_has_images_a_suffix_and_a_level_of_thinking() -> None:
    call = parse_generate(b'{"prompt":"a","suffix":"b","images":["aGk="],"think":"low"}')
    assert (call.suffix, call.images, call.think) == ("b", (b"hi",), "low")


@pytest.mark.parametrize("file", [b"RIFF\x00\x00\x00\x00WAVE", b"ID3\x04", b"\xff\xfb\x90", b"fLaC"])
def test_sound_among_the_images_needs_ears_and_no_eyes(file: bytes) -> None:
    call = chat({"role": "user", "images": [base64.b64encode(file).decode()]})
    assert call.asked == Asked(audio=True)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"images": ["data:image/png;base64,aGk="]}, "illegal base64 data at input byte 4"),
        (
            {"images": [7]},
            "json: cannot unmarshal number into Go struct field Alias.images of type api.ImageData",
        ),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
            "Value looks like object, but can't find closing '}' symbol",
        ),
        (
            {"tool_calls": [{"id": 1}]},
            "json: cannot unmarshal number into Go struct field ToolCall.tool_calls.id of type string",
        ),
        (
            {"thinking": True},
            "json: cannot unmarshal bool into Go struct field Alias.thinking of type string",
        ),
    ],
)
def test_a_message_of_other_types_is_refused_in_gos_words(message: dict[str, object], error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        chat(message)
    assert refused.value.message == error


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"raw": True, "context": [1]}, "raw mode does not support template, system, or context"),
        ({"raw": True, "suffix": "b"}, "raw mode does not support suffix or images"),
        ({"raw": True, "images": ["aGk="]}, "raw mode does not support suffix or images"),
        ({"suffix": "b", "images": ["aGk="]}, "suffix cannot be used together with images or context"),
    ],
)
def test_fields_no_prompt_can_have_together_are_refused(fields: dict[str, object], error: str) -> None:
    call = parse_generate(json.dumps({"prompt": "a", **fields}).encode())
    with pytest.raises(ParameterInvalid) as refused:
        check_combination(call)
    assert refused.value.message == error


def test_a_client_may_ask_for_its_prompt_alone() -> None:
    assert parse_generate(b'{"_debug_render_only":true}').render_only
    assert not parse_chat(b'{"_debug_render_only":null}').render_only


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
