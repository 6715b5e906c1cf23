"""Laws of reading OpenAI's chat requests."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.openai import parse_chat
from services.gateway.dialects.openai_completions import parse_completion
from services.gateway.dialects.openai_tools import arguments_text, tool_definition, tool_use
from shared.errors import CorralError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "parallel_tool_calls",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "stop",
        "n",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "stream_options",
        "options",
        "keep_alive",
        "chat_template_kwargs",
        "modalities",
        "audio",
        "web_search_options",
        "prompt",
        "suffix",
        "echo",
        "best_of",
    ]
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio", "refusal", "file", "x"])},
    optional=dict.fromkeys(("text", "image_url", "input_audio", "refusal"), ANYTHING),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "developer"]), "content": ANYTHING | st.lists(PART)},
    optional=dict.fromkeys(("tool_calls", "function_call", "tool_call_id", "name", "reasoning"), ANYTHING),
)
NAMES = st.lists(st.text("abc", min_size=1, max_size=2), unique=True, min_size=1, max_size=4)


@given(st.lists(MESSAGE, max_size=3), st.dictionaries(FIELDS, ANYTHING, max_size=4))
def test_whatever_is_sent_is_read_or_refused_in_words(messages: list[object], fields: dict[str, object]) -> None:
    body = json.dumps({"model": "m", "messages": messages, **fields}).encode()
    for parse in (parse_chat, parse_completion):
        with contextlib.suppress(CorralError):
            parse(body)


@given(st.dictionaries(st.text(), ANYTHING))
def test_arguments_that_are_an_object_stay_as_they_are(arguments: dict[str, object]) -> None:
    text = json.dumps(arguments)
    assert arguments_text(text) == text


@given(NAMES, st.data())
def test_only_tools_that_are_shown_are_forced(names: list[str], data: st.DataObject) -> None:
    tools = tuple(tool_definition({"name": name}) for name in names)
    some = data.draw(st.lists(st.sampled_from(names), min_size=1))
    references = [{"type": "function", "name": name} for name in some]
    mode = data.draw(st.sampled_from(["auto", "required"]))
    choice = data.draw(
        st.sampled_from(
            [
                None,
                "auto",
                "none",
                "required",
                references[0],
                {"type": "allowed_tools", "mode": mode, "tools": references},
            ]
        )
    )
    used = tool_use(tools, choice)
    assert set(used.forced_tools) <= {tool["function"]["name"] for tool in used.tools}  # type: ignore[index]
    assert set(map(repr, used.tools)) <= set(map(repr, tools))
