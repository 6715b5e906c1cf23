"""The items of responses: reading them, showing them, and what a model is told of them."""

import sys
from types import FrameType
from typing import Any

import msgspec
import pytest

from services.gateway.dialects.responses_items import Item, read_input, shown_item
from services.gateway.dialects.responses_messages import messages_of
from shared.errors import ParameterInvalid
from shared.generation import Message, ToolCall

NO_FILES = "file inputs are not currently supported"
PICTURE = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"}


def call(call_id: str, **fields: str) -> dict[str, str]:
    return {"type": "function_call", "call_id": call_id, "name": "look", "arguments": '{"a": 1}', **fields}


def tool_call(call_id: str, name: str = "look") -> ToolCall:
    return ToolCall(name, '{"a": 1}', call_id)


def result(call_id: str, output: object) -> dict[str, object]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def read(*items: object) -> tuple[Item, ...]:
    return read_input(list(items))


def messages(*items: object) -> tuple[Message, ...]:
    return messages_of(read(*items))


def test_a_text_is_the_users() -> None:
    assert messages_of(read_input("Hi")) == (Message("user", "Hi"),)


def test_a_message_needs_no_type_and_its_parts_are_one_message() -> None:
    parts = [{"type": "input_text", "text": "a"}, PICTURE, {"type": "input_text", "text": "b"}]
    assert messages({"role": "user", "content": parts}) == (Message("user", "ab", images=(b"\0\0\0",)),)


def test_a_developer_is_who_templates_call_the_system() -> None:
    assert messages({"role": "developer", "content": "a"}) == (Message("system", "a"),)


def test_what_an_assistant_said_and_refused_is_its_text() -> None:
    parts = [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}]
    assert messages({"type": "message", "role": "assistant", "content": parts}) == (Message("assistant", "ano"),)


def test_calls_that_stand_together_are_one_message_with_the_text_before_them() -> None:
    said = {"role": "assistant", "content": "Let me look."}
    assert messages(
        said, call("1"), call("2"), result("1", "x"), result("2", [{"type": "input_text", "text": "y"}])
    ) == (
        Message("assistant", "Let me look.", tool_calls=(tool_call("1"), tool_call("2"))),
        Message("tool", "x", tool_name="look", tool_call_id="1"),
        Message("tool", "y", tool_name="look", tool_call_id="2"),
    )


def test_thoughts_between_calls_that_stand_together_are_kept_in_order() -> None:
    thoughts = [{"type": "reasoning", "encrypted_content": text} for text in ("a", "b", "c")]
    said = messages(thoughts[0], call("1"), thoughts[1], call("2"), thoughts[2])
    both = Message("assistant", "", thinking="ab", tool_calls=(tool_call("1"), tool_call("2")))
    assert said == (both, Message("assistant", "", thinking="c"))


def test_calls_that_stand_together_are_copied_into_their_message_once() -> None:
    """Copying the message for each of them would copy all the calls before it as well."""
    copies = 0

    def count(_frame: FrameType, event: str, function: object) -> None:
        nonlocal copies
        copies += event == "c_call" and function is msgspec.structs.replace

    items = read(*[call("1")] * 100)
    sys.setprofile(count)
    try:
        (told,) = messages_of(items)
    finally:
        sys.setprofile(None)
    assert (len(told.tool_calls), copies) == (100, 1)


def test_a_result_may_be_a_picture() -> None:
    (message,) = messages(result("1", [PICTURE]))
    assert message.images == (b"\0\0\0",)


@pytest.mark.parametrize(
    "reasoning",
    [
        {"encrypted_content": "Hm", "summary": [{"type": "summary_text", "text": "other"}]},
        {"content": [{"type": "reasoning_text", "text": "Hm"}], "summary": []},
        {"summary": [{"type": "summary_text", "text": "Hm"}]},
    ],
)
def test_thoughts_belong_to_what_they_led_to(reasoning: dict[str, Any]) -> None:
    item = {"type": "reasoning", **reasoning}
    assert messages(item, {"role": "assistant", "content": "a"}) == (Message("assistant", "a", thinking="Hm"),)
    assert messages(item, call("1")) == (Message("assistant", "", thinking="Hm", tool_calls=(tool_call("1"),)),)
    assert messages(item) == (Message("assistant", "", thinking="Hm"),)


def test_calls_of_a_namespace_have_its_name_in_front() -> None:
    assert messages(call("1", namespace="crm")) == (Message("assistant", "", tool_calls=(tool_call("1", "crm.look"),)),)


def test_searches_of_the_web_are_passed_over() -> None:
    assert messages({"type": "web_search_call", "id": "ws", "status": "completed"}) == ()


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("a", "an item must be an object"),
        ({}, "input item missing required 'type' field"),
        ({"type": "x"}, 'unknown input item type: "x"'),
        ({"role": "king"}, 'unknown role: "king" (must be user, assistant, system, developer)'),
        ({"role": "user", "content": 5}, "content must be a string or array"),
        ({"role": "user", "content": [{"type": "x"}]}, "content[0]: unknown content type: x"),
        (
            {"role": "user", "content": [{"type": "input_text"}]},
            "content[0]: a content part must have a type, and a text of that type its text",
        ),
        ({"role": "user", "content": [{"type": "input_file"}]}, "file inputs are not currently supported"),
        (
            {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
            "file inputs are not currently supported",
        ),
        ({"role": "user", "content": [{**PICTURE, "image_url": "data:text/plain,a"}]}, "invalid image input"),
        (
            {"role": "user", "content": [{**PICTURE, "image_url": "https://a/b.png"}]},
            "image URLs are not currently supported, please use base64 encoded data instead",
        ),
        (call("1", arguments="[1]"), "invalid tool call arguments"),
        (result("1", 5), "output must be a string or array"),
    ],
)
def test_bad_items_are_refused_with_their_place(item: object, text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        read({"role": "user", "content": "fine"}, item)
    assert refused.value.message == f"input[1]: {text}"


def test_a_reference_to_nothing_known_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match=r"^Item with id 'msg_1' not found\.$"):
        messages({"type": "item_reference", "id": "msg_1"})


def test_items_are_shown_as_they_were_given() -> None:
    given: list[dict[str, object]] = [
        {
            "id": "1",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_text", "text": "a"}, PICTURE],
        },
        {"id": "2", "status": "completed", **call("c", namespace="crm")},
        {"id": "3", "status": "completed", **result("c", "x")},
        {"id": "4", "status": "completed", **result("c", [PICTURE])},
        {
            "id": "5",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Hm"}],
            "encrypted_content": "Hm",
        },
        {
            "id": "6",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "b", "annotations": []}],
        },
    ]
    assert [shown_item(item) for item in read(*given)] == given
