"""Generated requests, valid and broken, to every described route: the answers are those that the description names."""

import asyncio
import contextlib
from typing import Any, Final

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, strategies
from hypothesis.errors import Unsatisfiable
from redis.asyncio import Redis
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.setup import EMBEDDER, EMBEDDING_WEIGHTS, TINY, serving, settings
from shared.generation import EmbedPrompt
from shared.model_index import ModelIndex

EXAMPLES_MAX: Final = 5
REQUEST_TIMEOUT_S: Final = 10.0
NO_REGISTRY: Final = "http://127.0.0.1:9"  # where nothing listens
UNFORESEEN: Final = "internal error; the server's log"
CHECKED: Final = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
HI: Final = [{"role": "user", "content": "Hi"}]
PLAIN: Final = (
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "seed",
    "truncate",
    "encoding_format",
    "instructions",
)
"""Fields that no model refuses, whatever their description lets them be."""

ASKED: Final[dict[str, dict[str, Any]]] = {
    "/api/generate": {"model": "tiny", "prompt": "Hi"},
    "/api/chat": {"model": "tiny", "messages": HI},
    "/api/embed": {"model": "embedder", "input": "Hi"},
    "/api/embeddings": {"model": "embedder", "prompt": "Hi"},
    "/v1/chat/completions": {"model": "tiny", "messages": HI},
    "/v1/completions": {"model": "tiny", "prompt": "Hi"},
    "/v1/embeddings": {"model": "embedder", "input": "Hi"},
    "/v1/responses": {"model": "tiny", "input": "Hi"},
    "/v1/messages": {"model": "tiny", "messages": HI, "max_tokens": 5},
    "/v1/messages/count_tokens": {"model": "tiny", "messages": HI},
}
"""What a model has to be asked for an answer."""


AnyCase = Case[Any]


async def answer(stage: Stage) -> None:
    await stage.start()
    if isinstance(stage.request.prompt, EmbedPrompt):
        await stage.embed(*([0.6, 0.8] for _ in stage.request.prompt.inputs))
    else:
        await stage.say("Hello")
    await stage.finish()


def answerable(case: AnyCase) -> None:
    """Make a generated request one that a model answers: few are by chance."""
    asked = ASKED.get(case.operation.path)
    if asked is not None and isinstance(case.body, dict):
        case.body = {**{name: value for name, value in case.body.items() if name in PLAIN}, **asked}


class Round:
    """Requests to all routes, and what was wrong with their answers."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.problems: list[str] = []
        self.answered: set[str] = set()

    def ask(self, operation: Any, mode: GenerationMode) -> None:
        @hypothesis.settings(
            max_examples=EXAMPLES_MAX,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(strategies.data())
        def each(data: strategies.DataObject) -> None:
            case = data.draw(operation.as_strategy(generation_mode=mode))
            # Until a route has answered once, every request to it is one that it can answer.
            is_plain = data.draw(strategies.booleans()) or case.operation.path not in self.answered
            if mode is GenerationMode.POSITIVE and is_plain:
                answerable(case)
            self._send(case, mode)

        each()

    def _send(self, case: AnyCase, mode: GenerationMode) -> None:
        response = case.call(base_url=self.base_url, timeout=REQUEST_TIMEOUT_S)
        names = CHECKED if mode is GenerationMode.POSITIVE else (*CHECKED, "negative_data_rejection")
        if response.status_code == 200:
            self.answered.add(case.operation.path)
        if UNFORESEEN in response.text:
            self._note(case, response.text)
        try:
            case.validate_response(response, checks=[CHECKS.get_one(name) for name in names])  # type: ignore[misc]
        except FailureGroup as failures:
            for failure in failures.exceptions:
                self._note(case, f"{response.status_code} {failure}")

    def _note(self, case: AnyCase, problem: str) -> None:
        self.problems.append(f"{case.operation.label} {case.body!r}: {problem}")


def run(document: dict[str, Any], base_url: str) -> Round:
    found = Round(base_url)
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            # Of a route that takes nothing there are no broken requests.
            with contextlib.suppress(Unsatisfiable):
                found.ask(operation, mode)
    return found


async def test_every_route_answers_as_described(redis: Redis, redis_url: str) -> None:
    """There is no registry, so what is passed on to one is answered by the refusal that is described for that."""
    await ModelIndex(redis).publish([TINY, EMBEDDER])
    async with (
        serving(settings(redis_url, registry_url=NO_REGISTRY)) as url,
        ScriptedWorker(redis, redis_url, WEIGHTS, play=answer).running(),
        ScriptedWorker(redis, redis_url, EMBEDDING_WEIGHTS, play=answer, worker_id="worker-2").running(),
    ):
        document = await asyncio.to_thread(lambda: requests.get(f"{url}/openapi.json", timeout=5).json())
        found = await asyncio.to_thread(run, document, url)
    assert found.problems == [], "\n".join(found.problems)
    assert set(ASKED) <= found.answered
