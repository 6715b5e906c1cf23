"""Calls and results find each other, whatever ids a client wrote."""

import pytest

from services.worker.chat_template.tool_calls import arguments_of, with_call_ids, with_result_names
from shared.errors import ParameterInvalid
from shared.generation import Message, ToolCall


def calls(*names: str, ids: tuple[str, ...] = ()) -> Message:
    ids = ids or ("",) * len(names)
    return Message("assistant", "", tool_calls=tuple(ToolCall(n, "{}", i) for n, i in zip(names, ids, strict=True)))


def result(name: str = "", call_id: str = "") -> Message:
    return Message("tool", "4", tool_name=name, tool_call_id=call_id)


def ids_of(*messages: Message, are_short: bool = False) -> list[str]:
    """The ids of all calls and results in order."""
    done = with_call_ids(messages, are_short=are_short)
    return [
        call_id
        for message in done
        for call_id in (*(call.call_id for call in message.tool_calls), message.tool_call_id)
        if call_id
    ]


def test_arguments_keep_their_order() -> None:
    assert list(arguments_of(ToolCall("f", '{"b": 1, "a": {"z": 1, "y": 2}}')).items()) == [
        ("b", 1),
        ("a", {"z": 1, "y": 2}),
    ]
    assert arguments_of(ToolCall("f", "")) == {}


@pytest.mark.parametrize("text", ["{", "[1]", "7", "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid, match="the arguments of a call of f are not"):
        arguments_of(ToolCall("f", text))


def test_a_result_without_a_name_has_that_of_its_call() -> None:
    named = with_result_names((calls("a", "b", ids=("1", "2")), result(call_id="2"), result("c", "1"), result()))
    assert [message.tool_name for message in named] == ["", "b", "c", ""]


def test_calls_without_ids_are_numbered_and_results_answer_the_first_call_of_their_tool() -> None:
    assert ids_of(calls("a", "b", "a"), result("b"), result("a"), result("a")) == [
        *("000000000", "000000001", "000000002"),
        *("000000001", "000000000", "000000002"),
    ]


def test_results_that_name_nothing_answer_the_calls_in_order() -> None:
    assert ids_of(calls("a"), result(), calls("b", ids=("x",)), result()) == ["000000000"] * 2 + ["x"] * 2


def test_ids_of_clients_stay_unless_they_must_be_short() -> None:
    talk = (calls("a", "b", ids=("call_abcd1234", "call_efgh5678")), result(call_id="call_efgh5678"))
    assert ids_of(*talk) == ["call_abcd1234", "call_efgh5678", "call_efgh5678"]
    assert ids_of(*talk, are_short=True) == ["000000000", "000000001", "000000001"]


def test_a_result_of_an_unknown_call_keeps_what_it_says() -> None:
    assert ids_of(calls("a", ids=("1",)), result("a", "9")) == ["1", "9"]
    assert ids_of(result("a")) == []
