"""Tools and gaps through OpenAI's API, against the whole cluster and a real model that is given templates for them."""

import json

import openai
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from harness.cluster import MODEL

ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
UNITS = ["celsius", "fahrenheit"]
TOOLS: list[ChatCompletionToolParam] = [
    {"type": "function", "function": {"name": "get_time"}},
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"unit": {"enum": UNITS}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
                "required": ["unit", "days"],
                "additionalProperties": False,
            },
        },
    },
]


async def test_a_tool_that_must_be_called_is_called_with_arguments_of_its_schema(
    sdk: openai.AsyncOpenAI, caller: str
) -> None:
    whole = await sdk.chat.completions.create(
        model=caller,
        messages=ASKED,
        tools=TOOLS,
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=100,
    )
    (choice,) = whole.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert set(arguments) == {"unit", "days"}
    assert arguments["unit"] in UNITS
    assert 1 <= arguments["days"] <= 9

    answered: list[ChatCompletionMessageParam] = [
        *ASKED,
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "12 degrees, rain"},
    ]
    reply = await sdk.chat.completions.create(model=caller, messages=answered, tools=TOOLS, max_tokens=1)
    assert reply.usage is not None
    assert whole.usage is not None
    assert reply.usage.prompt_tokens > whole.usage.prompt_tokens + whole.usage.completion_tokens


async def test_calls_are_streamed_as_they_come_whole(sdk: openai.AsyncOpenAI, caller: str) -> None:
    async with sdk.chat.completions.stream(
        model=caller,
        messages=ASKED,
        tools=TOOLS,
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=100,
    ) as stream:
        final = await stream.get_final_completion()
    (choice,) = final.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.function.name in {"get_time", "get_weather"}
    assert call.id.startswith("call_")


async def test_a_gap_is_filled_after_the_text_before_it(sdk: openai.AsyncOpenAI, caller: str) -> None:
    reply = await sdk.completions.create(model=caller, prompt="One, two,", suffix=" four.", max_tokens=4, temperature=0)
    assert reply.choices[0].text
    assert reply.usage is not None
    raw = await sdk.completions.create(model=MODEL, prompt="One, two,<gap> four.", max_tokens=4, temperature=0)
    assert raw.usage is not None
    assert reply.usage.prompt_tokens < raw.usage.prompt_tokens  # no chat template stands around it
