"""OpenAI's messages as a model's template sees them."""

import base64
from typing import Any

import pytest

from services.gateway.dialects.openai_messages import History, read_messages
from shared.errors import ParameterInvalid
from shared.generation import Message, ToolCall


def call(call_id: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def only(message: dict[str, Any]) -> Message:
    (read,) = read_messages([message]).messages
    return read


def test_a_plain_conversation_asks_for_nothing_special() -> None:
    history = read_messages([{"role": "system", "content": "s"}, {"role": "user", "content": "u", "name": "Ann"}])
    assert history == History(
        messages=(Message("system", "s"), Message("user", "u")), has_tools=False, has_images=False, has_sound=False
    )


def test_a_developer_speaks_as_the_system() -> None:
    assert only({"role": "developer", "content": "d"}) == Message("system", "d")


def test_calls_and_their_results_keep_their_ids_and_the_newest_call_names_the_result() -> None:
    history = read_messages(
        [
            {"role": "assistant", "content": None, "tool_calls": [call("1", "old"), call("2", "other", '{"a":1}')]},
            {"role": "assistant", "tool_calls": [call("1", "new")]},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "r"}]},
            {"role": "tool", "tool_call_id": "2", "content": "s", "name": "said"},
            {"role": "tool", "tool_call_id": "3", "content": ""},
        ]
    )
    assert history.messages == (
        Message("assistant", "", tool_calls=(ToolCall("old", "{}", "1"), ToolCall("other", '{"a":1}', "2"))),
        Message("assistant", "", tool_calls=(ToolCall("new", "{}", "1"),)),
        Message("tool", "r", tool_name="new", tool_call_id="1"),
        Message("tool", "s", tool_name="said", tool_call_id="2"),
        Message("tool", "", tool_call_id="3"),
    )
    assert history.has_tools


def test_the_older_form_of_calls_and_results_is_understood() -> None:
    history = read_messages(
        [
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}},
            {"role": "function", "name": "f", "content": "r"},
        ]
    )
    assert history.messages == (
        Message("assistant", "", tool_calls=(ToolCall("f", '{"a": 1}'),)),
        Message("tool", "r", tool_name="f"),
    )
    assert history.has_tools


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_earlier_thoughts_are_thoughts(name: str) -> None:
    assert only({"role": "assistant", "content": "a", name: "t"}) == Message("assistant", "a", thinking="t")


def test_a_refusal_is_what_was_said() -> None:
    assert only({"role": "assistant", "content": None, "refusal": "no"}) == Message("assistant", "no")


def test_a_message_has_its_pictures_and_the_conversation_says_so() -> None:
    url = "data:image/png;base64," + base64.b64encode(b"png").decode()
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": url}}]
    history = read_messages([{"role": "user", "content": parts}, {"role": "user", "content": "b"}])
    assert history.messages[0] == Message("user", "a", images=(b"png",))
    assert (history.has_images, history.has_sound) == (True, False)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"role": "user"}, "invalid message content type: <nil>"),
        ({"role": "assistant", "content": None, "tool_calls": []}, "invalid message content type: <nil>"),
        ({"role": "assistant", "tool_calls": [call("1", "f", "[]")]}, "invalid tool call arguments"),
        ({"role": "assistant", "function_call": {"name": "f", "arguments": "x"}}, "invalid tool call arguments"),
    ],
)
def test_what_cannot_be_read_is_refused_in_ollamas_words(message: dict[str, Any], error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        read_messages([message])
    assert refused.value.message == error
