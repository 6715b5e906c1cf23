"""What litellm is used for, over each dialect it speaks; prints what came of it as one JSON object.

Runs in an environment of its own: `python calls.py URL CHAT_MODEL EMBEDDING_MODEL`.
"""

import asyncio
import json
import sys
from typing import Any

import litellm

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PERSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
        },
    },
}
HELLO = [{"role": "user", "content": "Hi"}]
ASKED = [{"role": "user", "content": "How is the weather in Paris?"}]
PROVIDERS = {"ollama_chat": "", "openai": "/v1", "anthropic": ""}
"""litellm's name of each dialect, and what is added to the server's address for it."""


async def calls(url: str, provider: str, model: str) -> dict[str, Any]:
    common = {"model": f"{provider}/{model}", "api_base": url + PROVIDERS[provider], "api_key": "anything"}
    whole = await litellm.acompletion(**common, messages=HELLO)
    pieces = [piece async for piece in await litellm.acompletion(**common, messages=HELLO, stream=True)]
    first = await litellm.acompletion(**common, messages=ASKED, tools=[WEATHER])
    message = first.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": "sunny"}
        for call in message.tool_calls
    ]
    second = await litellm.acompletion(
        **common, messages=[*ASKED, message.model_dump(exclude_none=True), *results], tools=[WEATHER]
    )
    structured = await litellm.acompletion(**common, messages=HELLO, response_format=PERSON)
    return {
        "chat": whole.choices[0].message.content,
        "streamed": "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices),
        "calls": [[call.function.name, json.loads(call.function.arguments)] for call in message.tool_calls],
        "answer": second.choices[0].message.content,
        "structured": json.loads(structured.choices[0].message.content),
        "cancelled": await cancelled(common),
    }


async def cancelled(common: dict[str, Any]) -> int:
    """Pieces read before the client had enough and left."""
    stream = await litellm.acompletion(**common, messages=[{"role": "user", "content": "Never stop."}], stream=True)
    count = 0
    async for _ in stream:
        count += 1
        if count == 3:
            break
    return count


async def main(url: str, chat_model: str, embedding_model: str) -> None:
    found: dict[str, Any] = {provider: await calls(url, provider, chat_model) for provider in PROVIDERS}
    embedded = await litellm.aembedding(
        model=f"openai/{embedding_model}", input=["a", "b"], api_base=f"{url}/v1", api_key="anything"
    )
    found["embeddings"] = [one["embedding"] for one in embedded.data]
    print(json.dumps(found))  # noqa: T201 — the result


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
