"""A play that answers like a well-behaved model, whatever it is asked: chats, calls tools, keeps to schemas, embeds."""

import asyncio
from typing import Final

from fakes.worker import Stage
from shared.generation import ChatPrompt, EmbedPrompt, LoadOnly, Piece, ToolCall

GREETING: Final = ("Hello", " there")
WEATHER_CALL: Final = ToolCall("get_weather", '{"city":"Paris"}', "call_ab12cd34")
PERSON: Final = ('{"name":"Ann",', '"age":7}')
ENDLESS: Final = "Never stop."
"""A user message that is answered until the client has had enough."""

WORDS_MAX: Final = 20_000
_WORD_S: Final = 0.005


async def manners(stage: Stage) -> None:
    await stage.start()
    await _answer(stage)
    await stage.finish()


async def _answer(stage: Stage) -> None:
    request = stage.request
    match request.prompt:
        case LoadOnly():
            return
        case EmbedPrompt(inputs=inputs):
            await stage.embed(*([3.0, 4.0 + index] for index in range(len(inputs))))
        case ChatPrompt(messages=messages, tools=tools, forced_tools=forced_tools):
            if forced_tools:
                await stage.tell(Piece(tool_calls=(ToolCall(forced_tools[0], "".join(PERSON), "call_ef56gh78"),)))
            elif messages[-1].role == "tool":
                await stage.say("It is ", messages[-1].content)
            elif tools:
                await stage.tell(Piece(thinking="They want the weather."), Piece(tool_calls=(WEATHER_CALL,)))
            elif request.sampling.json_schema is not None:
                await stage.say(*PERSON)
            elif messages[-1].content == ENDLESS:
                await _go_on(stage)
            else:
                await stage.say(*GREETING)
        case _:
            await stage.say(*GREETING)


async def _go_on(stage: Stage) -> None:
    for _ in range(WORDS_MAX):
        await stage.say("more ")
        await asyncio.sleep(_WORD_S)
