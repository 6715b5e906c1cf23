"""The declared bodies are what the parsers read: the same fields, of the same types, neither more nor less."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import inspect

from services.gateway.dialects import anthropic, embeddings, ollama, openai, openai_completions, responses
from services.gateway.handlers.keys import _parse_new_key
from services.gateway.key_backup import parse_restore
from services.gateway.openapi.bodies import anthropic as anthropic_bodies
from services.gateway.openapi.bodies import models as model_bodies
from services.gateway.openapi.bodies import ollama as ollama_bodies
from services.gateway.openapi.bodies import openai as openai_bodies
from services.gateway.openapi.bodies import responses as responses_bodies
from services.registry.building.request import parse_create
from services.registry.requests import parse_copy, parse_delete, parse_show
from services.registry.transfers.requests import parse_transfer
from services.registry.transfers.transfer import TransferKind
from shared import options
from unit.services.gateway.openapi import examples
from unit.services.gateway.openapi.field_reads import Declared, declared_fields, differences, reads_of

CASES: dict[str, tuple[Callable[[bytes], object], type, list[examples.Body]]] = {
    "/api/generate": (ollama.parse_generate, ollama_bodies.OllamaGenerateBody, examples.GENERATE),
    "/api/chat": (ollama.parse_chat, ollama_bodies.OllamaChatBody, examples.OLLAMA_CHAT),
    "/api/embed": (embeddings.parse_embed, ollama_bodies.OllamaEmbedBody, examples.EMBED),
    "/api/embeddings": (embeddings.parse_embeddings, ollama_bodies.OllamaEmbeddingsBody, examples.EMBEDDINGS),
    "/v1/chat/completions": (openai.parse_chat, openai_bodies.OpenAiChatBody, examples.OPENAI_CHAT),
    "/v1/completions": (
        openai_completions.parse_completion,
        openai_bodies.OpenAiCompletionBody,
        examples.COMPLETION,
    ),
    "/v1/embeddings": (embeddings.parse_openai, openai_bodies.OpenAiEmbeddingsBody, examples.OPENAI_EMBEDDINGS),
    "/v1/responses": (responses.parse, responses_bodies.OpenAiResponsesBody, examples.RESPONSES),
    "/v1/messages": (anthropic.parse_messages, anthropic_bodies.AnthropicMessagesBody, examples.ANTHROPIC_MESSAGES),
    "/v1/messages/count_tokens": (
        anthropic.parse_count,
        anthropic_bodies.AnthropicCountBody,
        examples.ANTHROPIC_COUNT,
    ),
    "/api/create": (parse_create, model_bodies.CreateBody, examples.CREATE),
    "/api/show": (parse_show, model_bodies.ShowBody, examples.SHOW),
    "/api/copy": (parse_copy, model_bodies.CopyBody, examples.COPY),
    "/api/delete": (parse_delete, model_bodies.DeleteBody, examples.DELETE),
    "/api/pull": (functools.partial(parse_transfer, TransferKind.PULL), model_bodies.TransferBody, examples.TRANSFER),
    "/api/push": (functools.partial(parse_transfer, TransferKind.PUSH), model_bodies.TransferBody, examples.TRANSFER),
    "/api/keys": (_parse_new_key, model_bodies.KeyBody, examples.KEY),
    "/api/restore/keys": (parse_restore, model_bodies.KeyRestoreBody, examples.KEY_RESTORE),
}
OPAQUE = frozenset({"options", "parameters", "info", "tools[].function.parameters"})
"""Objects whose members are read as a table, in one place for all routes, or are a JSON schema."""

OF_ANOTHER_ROUTE = {
    "/v1/responses": {"tool_choice.allowed_tools", "tool_choice.function", "tool_choice.tools[].function"},
}
"""Where one reader serves two routes, what it looks for because the other one writes it there."""


@pytest.mark.parametrize("route", CASES)
def test_a_parser_reads_exactly_the_fields_that_are_declared(route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse, body, bodies = CASES[route]
    reads = reads_of(parse, bodies, monkeypatch)
    own = {place: how for place, how in reads.items() if place not in OF_ANOTHER_ROUTE.get(route, set())}
    found = differences(own, declared_fields(body), opaque=OPAQUE)
    assert found == [], "\n".join([route, *found])


@pytest.mark.parametrize("route", CASES)
def test_the_examples_have_every_field_that_has_an_effect(route: str) -> None:
    _, body, bodies = CASES[route]
    present = {place for one in bodies for place in places_in(one, "")}
    wanted = {place for place, field in declared_fields(body).items() if field.has_effect and not field.is_refused}
    assert {one for one in wanted - present if not one.startswith(tuple(f"{name}." for name in OPAQUE))} == set()


def places_in(value: object, place: str) -> set[str]:
    match value:
        case dict():
            below = {f"{place}.{name}" if place else name: item for name, item in value.items()}
            return set(below).union(*(places_in(item, name) for name, item in below.items()))
        case list():
            return set().union(*(places_in(item, f"{place}[]") for item in value))
    return set()


def test_the_declared_options_are_those_that_are_read_with_their_types() -> None:
    shapes = {"integer": "integer", "float32": "real", "boolean": "flag", "array": "list of texts"}
    read = {name: Declared(frozenset({shapes[go_type]})) for name, go_type in options._GO_TYPES.items()}
    declared = declared_fields(ollama_bodies.OllamaOptions)
    assert {name: one.shapes for name, one in declared.items()} == {name: one.shapes for name, one in read.items()}


def test_options_without_effect_on_a_request_are_those_of_loading() -> None:
    declared = declared_fields(ollama_bodies.OllamaOptions)
    of_loading = {field.name for field in inspect.type_info(options.LoadOptions).fields}  # type: ignore[attr-defined]
    assert {name for name, one in declared.items() if not one.has_effect} == of_loading | {"draft_num_predict"}


def test_a_difference_names_the_field_and_what_is_wrong_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = reads_of(embeddings.parse_embeddings, examples.EMBEDDINGS, monkeypatch)
    declared: dict[str, Any] = declared_fields(model_bodies.ShowBody)
    declared["prompt"] = Declared(frozenset({"flag"}))
    assert differences(reads, declared, opaque=OPAQUE) == [
        "keep_alive: read, but not declared",
        "name: declared, but never read",
        "prompt: read as text, but declared as flag",
        "system: declared, but never read",
        "verbose: declared, but never read",
    ]
