"""A real Prometheus with the deployment's rules reads a real gateway."""

from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.polling import until
from fakes.worker import MODEL, ScriptedWorker, say
from integration.monitoring.prometheus import running_prometheus

BODY = {"model": "tiny", "prompt": "Hi", "stream": False}


async def test_prometheus_reads_a_gateway_and_computes_every_rule(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello")).running(),
        running_prometheus(tmp_path, {"gateway": gateway_url.removeprefix("http://")}) as prometheus,
    ):

        async def throughput_is_recorded() -> bool:
            async with http.post(f"{gateway_url}/api/generate", json=BODY) as response:
                assert response.status == 200
            recorded = await prometheus.query(f'model:corral_gateway_generated_tokens:rate5m{{model="{MODEL}"}} > 0')
            return bool(recorded)

        await until(throughput_is_recorded, within_s=20)
        (target,) = await prometheus.query("up")
        assert (target["metric"]["job"], target["value"][1]) == ("gateway", "1")
        assert await prometheus.query('route_outcome:corral_gateway_requests:rate5m{route="/api/generate"} > 0')

        rules = await prometheus.rules()
        assert {rule["type"] for rule in rules} == {"recording", "alerting"}
        for rule in rules:
            await prometheus.query(rule["query"])

        async def every_rule_was_evaluated() -> bool:
            return all(rule["health"] == "ok" for rule in await prometheus.rules())

        await until(every_rule_was_evaluated, within_s=10)
        firing = {rule["name"] for rule in await prometheus.rules() if rule.get("state") == "firing"}
        assert firing == set()
