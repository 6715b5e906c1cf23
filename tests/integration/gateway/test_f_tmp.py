"""Generated requests, valid and broken, to every described route: the answers are those that the description names."""

import asyncio
from typing import Any, Final

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, strategies
from redis.asyncio import Redis
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure, FailureGroup

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.setup import EMBEDDING_WEIGHTS
from services.gateway.openapi.routes import ROUTES
from shared.generation import EmbedPrompt

import collections
SEEN = collections.Counter()
EXAMPLES_MAX: Final = 6
REQUEST_TIMEOUT_S: Final = 10.0
EMBEDS: Final = ("/api/embed", "/api/embeddings", "/v1/embeddings")
UNFORESEEN: Final = "internal error; the server's log"
CHECKED: Final = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
BROKEN_IS_ACCEPTED: Final[dict[str, str]] = {}
"""Routes that need not refuse what does not fit their description, and why."""


async def answer(stage: Stage) -> None:
    await stage.start()
    if isinstance(stage.request.prompt, EmbedPrompt):
        await stage.embed(*([0.6, 0.8] for _ in stage.request.prompt.inputs))
    else:
        await stage.say("Hello")
    await stage.finish()


def with_known_model(case: Case) -> None:
    """Most of a route is only reached with a model that exists."""
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = "embedder" if case.operation.path in EMBEDS else "tiny"


def problems_of(operation: Any, mode: GenerationMode, base_url: str) -> list[str]:
    """What is wrong with the answers to some requests of one route."""
    found: list[str] = []
    checks = [CHECKS.get_one(name) for name in CHECKED]
    if mode is GenerationMode.NEGATIVE and operation.path not in BROKEN_IS_ACCEPTED:
        checks.append(CHECKS.get_one("negative_data_rejection"))

    @hypothesis.settings(
        max_examples=EXAMPLES_MAX,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategies.data())
    def ask(data: strategies.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE:
            with_known_model(case)
        response = case.call(base_url=base_url, timeout=REQUEST_TIMEOUT_S)
        import collections
        global SEEN
        SEEN[(mode.value, operation.label, response.status_code)] += 1
        if UNFORESEEN in response.text:
            found.append(f"{operation.label}: {case.body!r}: {response.text}")
        try:
            case.validate_response(response, checks=checks)
        except (Failure, FailureGroup) as failure:
            said = getattr(failure, "exceptions", [failure])
            found.extend(f"{operation.label}: {case.body!r}: {response.status_code} {one}" for one in said)

    ask()
    return found


def run(document: dict[str, Any], base_url: str) -> list[str]:
    schema = schemathesis.openapi.from_dict(document)
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                found += problems_of(operation, mode, base_url)
            except hypothesis.errors.Unsatisfiable:
                continue
    return found


async def test_every_route_answers_as_described(gateway_url: str, redis: Redis, redis_url: str) -> None:
    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=answer).running(),
        ScriptedWorker(redis, redis_url, EMBEDDING_WEIGHTS, play=answer, worker_id="worker-2").running(),
    ):
        document = await asyncio.to_thread(lambda: requests.get(f"{gateway_url}/openapi.json", timeout=5).json())
        found = await asyncio.to_thread(run, document, gateway_url)
    print(SEEN)
    assert found == [], "\n".join(found)
