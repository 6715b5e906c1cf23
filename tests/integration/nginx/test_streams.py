"""Streams pass as they are written, end when the client leaves, and outlive a change of certificate."""

import asyncio
import json
import ssl

import aiohttp
import httpx
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.polling import until
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.registry_setup import ADMIN_KEY
from integration.gateway.setup import until_no_job_is_left
from integration.nginx.front_door import FrontDoor

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
WAIT_S = 10


class Speaker:
    """Says one word and the next only when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def play(self, stage: Stage) -> None:
        await stage.start()
        await stage.say("first")
        await self.go_on.wait()
        await stage.say(" second")
        await stage.finish()


async def shown_certificate(door: FrontDoor) -> bytes:
    """The certificate that a new connection gets to see."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", door.https_port, ssl=context, server_hostname="localhost")
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return shown


async def test_a_stream_arrives_in_the_pieces_it_is_written_in(
    http: aiohttp.ClientSession, redis: Redis, redis_url: str
) -> None:
    speaker = Speaker()
    async with (
        asyncio.timeout(WAIT_S),
        ScriptedWorker(redis, redis_url, WEIGHTS, play=speaker.play).running(),
        http.post("/api/chat", json=CHAT, headers={"Accept-Encoding": "gzip"}) as response,
    ):
        assert "Content-Encoding" not in response.headers
        first = json.loads(await response.content.readline())  # only a proxy that does not buffer gets here
        assert first["message"]["content"] == "first"
        speaker.go_on.set()
        rest = [json.loads(line) for line in (await response.content.read()).splitlines()]
    assert [line["message"]["content"] for line in rest] == [" second", ""]


async def test_events_of_openais_dialect_arrive_one_by_one(
    http: aiohttp.ClientSession, redis: Redis, redis_url: str
) -> None:
    speaker = Speaker()
    async with (
        asyncio.timeout(WAIT_S),
        ScriptedWorker(redis, redis_url, WEIGHTS, play=speaker.play).running(),
        http.post("/v1/chat/completions", json={**CHAT, "stream": True}) as response,
    ):
        assert response.content_type == "text/event-stream"
        assert "first" in (await response.content.readline()).decode()
        speaker.go_on.set()
        assert (await response.content.read()).decode().rstrip().endswith("data: [DONE]")


async def test_a_client_that_leaves_ends_its_generation(door: FrontDoor, redis: Redis, redis_url: str) -> None:
    """With httpx, which Ollama's, OpenAI's and Anthropic's libraries are made of."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=Speaker().play).running() as worker:
        async with (
            httpx.AsyncClient(base_url=door.url, verify=door.client_tls(), headers=headers) as client,
            client.stream("POST", "/api/chat", json=CHAT) as response,
        ):
            await anext(response.aiter_lines())
        await worker.until(lambda: worker.cancelled == [worker.requests[0].request_id])
        await until_no_job_is_left(redis)


async def test_a_new_certificate_is_shown_after_a_reload_and_no_stream_is_cut(
    door: FrontDoor, http: aiohttp.ClientSession, redis: Redis, redis_url: str
) -> None:
    speaker = Speaker()
    before = await shown_certificate(door)
    async with (
        asyncio.timeout(WAIT_S),
        ScriptedWorker(redis, redis_url, WEIGHTS, play=speaker.play).running(),
        http.post("/api/chat", json=CHAT) as response,
    ):
        await response.content.readline()
        door.renew_certificate()
        door.reload()
        renewed = ssl.PEM_cert_to_DER_cert(_certificate_part(door.certificate.read_text(encoding="utf-8")))

        async def is_shown() -> bool:
            return await shown_certificate(door) == renewed

        await until(is_shown)
        speaker.go_on.set()
        assert json.loads((await response.content.read()).splitlines()[-1])["done"] is True
    assert renewed != before


def _certificate_part(pem: str) -> str:
    return pem[pem.index("-----BEGIN CERTIFICATE-----") :]
