"""Every request has an id, one log line and its measurements; prompts are in none of them."""

import aiohttp
import structlog
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, say


async def test_one_line_sums_a_request_up_without_its_text(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    body = {"model": "tiny", "prompt": "a secret prompt"}
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        async with (
            ScriptedWorker(redis, redis_url, WEIGHTS, play=say("a secret answer")).running(),
            http.post(f"{gateway_url}/api/generate", json=body) as response,
        ):
            request_id = response.headers["X-Request-Id"]
            await response.read()
    (line,) = [entry for entry in logged if entry["event"] == "request_served"]
    assert line["request_id"] == request_id
    assert (line["method"], line["route"], line["status"], line["outcome"]) == ("POST", "/api/generate", 200, "ok")
    assert (line["model"], line["user"]) == ("registry.ollama.ai/library/tiny:latest", "local")
    assert (line["prompt_tokens"], line["generated_tokens"]) == (7, 1)
    assert 0 < line["ttft_ms"] <= line["duration_ms"]
    assert "secret" not in repr(logged)


async def test_the_metrics_page_names_what_dashboards_read(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{gateway_url}/metrics") as response:
        page = await response.text()
    for name in (
        "corral_gateway_request_seconds",
        "corral_gateway_time_to_first_token_seconds",
        "corral_gateway_rejections_total",
        "corral_gateway_open_generations",
    ):
        assert f"# HELP {name.removesuffix('_total')}" in page
