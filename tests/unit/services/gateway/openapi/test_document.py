"""The document is OpenAPI, says what each route asks of its caller, and leads nowhere that does not exist."""

import json
import re
from typing import Any

import msgspec
import pytest

from services.gateway.handlers.openapi import need_of_operation
from services.gateway.openapi.document import openapi_document
from services.gateway.openapi.routes import ROUTES

DOCUMENT: dict[str, Any] = json.loads(msgspec.json.encode(openapi_document(ROUTES, need_of_operation, version="1.2.3")))


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]
    return found


def test_every_reference_leads_to_a_component() -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT)))
    assert named <= set(DOCUMENT["components"]["schemas"])
    assert {"OllamaChatBody", "OpenAiError", "AnthropicMessage"} <= named


def test_no_two_operations_have_one_id_or_one_place() -> None:
    ids = [one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len(set(ids)) == len(ids) == len(ROUTES)


@pytest.mark.parametrize(
    ("method", "path", "schemes"),
    [
        ("get", "/api/version", []),
        ("get", "/openapi.json", []),
        ("get", "/v2/token", []),
        ("post", "/api/chat", ["bearer", "x_api_key"]),
        ("post", "/v1/messages", ["bearer", "x_api_key"]),
        ("post", "/api/keys", ["bearer", "x_api_key"]),
        ("put", "/v2/{name}/manifests/{reference}", ["bearer", "basic"]),
    ],
)
def test_a_route_asks_for_the_keys_that_its_door_asks_for(method: str, path: str, schemes: list[str]) -> None:
    security = operation(method, path)["security"]
    assert [name for one in security for name in one] == schemes
    assert ("401" in operation(method, path)["responses"]) is (bool(schemes) or path == "/v2/token")


def test_managing_models_is_for_admins() -> None:
    assert "admin" in operation("post", "/api/pull")["description"]
    assert "description" not in operation("post", "/api/chat")


@pytest.mark.parametrize(
    ("path", "component"),
    [
        ("/api/chat", "OllamaError"),
        ("/v1/chat/completions", "OpenAiError"),
        ("/v1/messages", "AnthropicError"),
        ("/v1/messages/count_tokens", "AnthropicError"),
        ("/v2/{name}/blobs/uploads/", "RegistryErrors"),
    ],
)
def test_errors_have_the_shape_of_their_dialect(path: str, component: str) -> None:
    schema = operation("post", path)["responses"]["404"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": f"#/components/schemas/{component}"}


def test_streams_name_their_content_type_and_what_they_consist_of() -> None:
    content = operation("post", "/v1/chat/completions")["responses"]["200"]["content"]
    assert content["application/json"]["schema"]["$ref"].endswith("/OpenAiChatReply")
    _, data = content["text/event-stream"]["schema"]["properties"]["data"]["anyOf"]
    assert [one["$ref"].split("/")[-1] for one in data["contentSchema"]["anyOf"]] == ["OpenAiChatChunk", "OpenAiError"]
    lines = operation("post", "/api/pull")["responses"]["200"]["content"]["application/x-ndjson"]["schema"]["anyOf"]
    assert [one["$ref"].split("/")[-1] for one in lines] == ["OllamaProgress", "OllamaError"]


def test_a_field_without_effect_says_so_and_why() -> None:
    detail = DOCUMENT["components"]["schemas"]["OpenAiImageUrl"]["properties"]["detail"]
    assert detail["description"].startswith("Accepted without effect: a model sees")


def test_a_reply_without_a_body_has_no_content() -> None:
    assert "content" not in operation("head", "/api/version")["responses"]["200"]
    assert "content" not in operation("delete", "/api/keys/{id}")["responses"]["200"]
