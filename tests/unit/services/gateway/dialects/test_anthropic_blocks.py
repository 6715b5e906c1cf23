"""Reading what Anthropic's messages hold."""

import base64
from typing import Any

import pytest

from services.gateway.dialects.anthropic_blocks import read_messages, read_system
from shared.errors import ParameterInvalid
from shared.generation import Message, ToolCall

PICTURE = b"\x89PNG"
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PICTURE).decode()},
}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def use(use_id: str, name: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": use_id, "name": name, "input": given}


def result(use_id: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": use_id, "content": content, **fields}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def test_text_blocks_of_a_message_are_one_text() -> None:
    cached = {**text("a"), "cache_control": {"type": "ephemeral"}, "citations": None}
    assert read_messages([user(cached, text("b"))]) == (Message("user", "ab"),)


def test_neighbours_of_one_role_are_one_turn() -> None:
    said = [user(text("a")), user(text("b"), IMAGE), assistant(THOUGHT, use("1", "f")), assistant(text("c"), THOUGHT)]
    assert read_messages(said) == (
        Message("user", "a\n\nb", images=(PICTURE,)),
        Message("assistant", "c", thinking="hm\n\nhm", tool_calls=(ToolCall("f", "{}", "1"),)),
    )


def test_a_long_run_of_one_role_is_one_turn() -> None:
    said = [assistant(text(str(number)), use(str(number), "f")) for number in range(300)]
    (turn,) = read_messages(said)
    assert turn.content == "\n\n".join(str(number) for number in range(300))
    assert [call.call_id for call in turn.tool_calls] == [str(number) for number in range(300)]


def test_calls_and_their_results_keep_ids_names_and_order() -> None:
    said = read_messages(
        [
            user(text("go")),
            assistant(text("so"), use("toolu_1", "first", b="ä", a=[1]), use("2", "second")),
            user(text("well?"), result("2", "two"), result("toolu_1", [text("on"), text("e"), IMAGE])),
        ]
    )
    assert said[1] == Message(
        "assistant", "so", tool_calls=(ToolCall("first", '{"b":"ä","a":[1]}', "1"), ToolCall("second", "{}", "2"))
    )
    assert said[2:] == (
        Message("tool", "two", tool_name="second", tool_call_id="2"),
        Message("tool", "one", tool_name="first", tool_call_id="1", images=(PICTURE,)),
        Message("user", "well?"),
    )


def test_results_alone_make_no_message_of_their_user() -> None:
    assert [message.role for message in read_messages([user(result("1", "a"), result("2", None))])] == ["tool", "tool"]


def test_a_tool_that_failed_says_so_and_a_call_that_nobody_made_has_no_name() -> None:
    (told,) = read_messages([user(result("toolu_9", "no such file", is_error=True))])
    assert told == Message("tool", "Error: no such file", tool_call_id="9")


def test_thoughts_are_kept_and_encrypted_ones_are_not() -> None:
    hidden = {"type": "redacted_thinking", "data": "x"}
    assert read_messages([assistant(THOUGHT, hidden, text("a"))]) == (Message("assistant", "a", thinking="hm"),)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "body"}},
            Message("user", "body"),
        ),
        (
            {
                "type": "document",
                "title": "Title",
                "context": "from a friend",
                "citations": {"enabled": False},
                "source": {"type": "content", "content": [text("bo"), IMAGE, text("dy")]},
            },
            Message("user", "Title\nfrom a friend\nbody", images=(PICTURE,)),
        ),
        (
            {"type": "search_result", "title": "Title", "source": "somewhere", "content": [text("found")]},
            Message("user", "Title\nsomewhere\nfound"),
        ),
    ],
)
def test_documents_of_text_are_text(block: dict[str, Any], told: Message) -> None:
    assert read_messages([user(block)]) == (told,)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"role": "robot", "content": "a"}, "messages.0.role must be user or assistant"),
        ({"role": "user"}, "messages.0.content must be a string or a list of content blocks"),
        (user({"type": "hologram"}), "messages.0.content.0: this server does not support hologram blocks here"),
        (user(text("a"), THOUGHT), "messages.0.content.1: this server does not support thinking blocks here"),
        (assistant(IMAGE), "messages.0.content.0: this server does not support image blocks here"),
        (
            {"role": "system", "content": [IMAGE]},
            "messages.0.content.0: this server does not support image blocks here",
        ),
        (
            user({"type": "text"}),
            "messages.0.content.0 must be a content block with a type, a text block with its text",
        ),
        (
            user(result("1", [use("2", "f")])),
            "messages.0.content.0.content.0: this server does not support tool_use blocks here",
        ),
        (user({"type": "tool_result"}), "messages.0.content.0.tool_use_id is required"),
        (assistant(use("", "f")), "tool_use block missing required 'id' field"),
        (assistant(use("1", "")), "tool_use block missing required 'name' field"),
        (user({"type": "image"}), "invalid image source"),
        (
            user({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}),
            "invalid image source type: url. Only base64 images are supported.",
        ),
        (user({"type": "image", "source": {"type": "base64", "data": "a"}}), "invalid base64 image data"),
        (user({"type": "image", "source": {"type": "base64", "data": ""}}), "invalid base64 image data: it is empty"),
        (
            user({"type": "document", "source": {"type": "base64", "data": "AAAA"}}),
            "messages.0.content.0: this server does not read documents of the source type base64; send text",
        ),
        (
            user({"type": "document", "source": {"type": "text", "data": "a"}, "citations": {"enabled": True}}),
            "messages.0.content.0.citations: this server does not cite its sources",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(message: dict[str, Any], problem: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        read_messages([message])
    assert refused.value.message == problem


def test_a_system_prompt_is_text() -> None:
    assert (read_system(None), read_system([text("a"), text("b")])) == ("", "ab")
    with pytest.raises(ParameterInvalid, match=r"system\.0: this server does not support image blocks here"):
        read_system([IMAGE])
