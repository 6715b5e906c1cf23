"""Calls of tools through the whole cluster, as the official clients ask for them, on a real model."""

import json
from typing import Any

import jsonschema
import ollama
import openai

from fakes.model_outputs import CLOCK, FORECAST

QUESTION: Any = [{"role": "user", "content": "What is the weather like in Paris?"}]
TOOLS: Any = [FORECAST, CLOCK]
PARAMETERS = FORECAST["function"]["parameters"]  # type: ignore[index]


async def test_a_tool_that_must_be_called_is_called_with_arguments_that_fit(
    sdk: openai.AsyncOpenAI, caller: str
) -> None:
    choice: Any = {"type": "function", "function": {"name": "forecast"}}
    completion = await sdk.chat.completions.create(
        model=caller, messages=QUESTION, tools=TOOLS, tool_choice=choice, temperature=0, max_tokens=300
    )
    (made,) = completion.choices
    assert made.finish_reason == "tool_calls"
    (call,) = made.message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "forecast"
    jsonschema.validate(json.loads(call.function.arguments), PARAMETERS)


async def test_a_streamed_call_comes_whole_and_its_text_does_not(sdk: openai.AsyncOpenAI, caller: str) -> None:
    stream = await sdk.chat.completions.create(
        model=caller,
        messages=QUESTION,
        tools=TOOLS,
        tool_choice="required",
        temperature=0,
        max_tokens=300,
        stream=True,
    )
    deltas = [chunk.choices[0].delta async for chunk in stream if chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    assert "".join(delta.content or "" for delta in deltas) == ""
    assert {call.index for call in calls} == {0}
    named = [call.function.name for call in calls if call.function and call.function.name]
    assert named[0] in ("forecast", "clock")
    json.loads("".join(call.function.arguments or "" for call in calls if call.function))


def test_a_model_that_may_call_a_tool_answers_and_never_shows_its_markup(client: ollama.Client, caller: str) -> None:
    reply = client.chat(caller, QUESTION, tools=TOOLS, options={"temperature": 0, "num_predict": 40})
    assert reply.message.content or reply.message.tool_calls
    assert "<tool_call>" not in (reply.message.content or "")
