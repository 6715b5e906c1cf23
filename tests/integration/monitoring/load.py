"""Everything that dashboards show, made to happen: people who ask, leave and are refused, and what breaks for them."""

import asyncio
import json
import time
from collections.abc import Iterable
from io import BytesIO
from random import Random
from typing import Any, Final

from fakes.gguf_files import real_model, tiny_model
from fakes.llama_models import write_llama
from fakes.polling import until
from harness.cluster import MODEL, slots_in_use
from integration.monitoring.watched import ADMIN_KEY, FOLLOWED, Watched
from shared import control_jobs, keys
from shared.digest import digest_of
from shared.manifest import MediaType

PEOPLE: Final = ("ada", "ben", "cleo", "dora")
SECOND, THIRD, BROKEN = "storyteller", "tiny", "broken"
"""Models beside the bundled one: its like under another name, one that speaks noise, and one that cannot be loaded."""

QUEUE_DEPTH_MAX: Final = 6
STORY: Final = "Tell me a very long story about a brown horse that"
PROMPT_WORDS: Final = 600


class Team:
    """People with keys of their own, and what they do."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._keys: dict[str, str] = {}
        self._prompts_count = 0

    async def join(self) -> None:
        """Give everybody a key, and the cluster its models."""
        for name in PEOPLE:
            made = await self._admin("/api/keys", {"name": name, "role": "user"})
            self._keys[name] = json.loads(made)["key"]
        await self.create(SECOND, real_model().read_bytes().replace(b"Smollm2 135M", b"Storyteller!"))
        await self.create(THIRD, write_llama(self._watched.cluster.home / "tiny.gguf").read_bytes())
        await self.create(BROKEN, tiny_model())

    async def create(self, name: str, weights: bytes) -> None:
        """Upload a model's weights and build it."""
        digest = digest_of(weights)
        async with self._watched.http.post(
            f"/api/blobs/{digest}", data=BytesIO(weights), headers=_bearer(ADMIN_KEY)
        ) as reply:
            assert reply.status == 201, await reply.text()
        await self._admin("/api/create", {"model": name, "files": {"model.gguf": digest}, "stream": False})

    async def ask(
        self, person: str, model: str, *, tokens_count: int, words_count: int = 0, leaves: bool = False
    ) -> int:
        """One generation, read to its end or left after its first token; gives the status."""
        self._prompts_count += 1
        padding = " ".join(f"{self._prompts_count * index}" for index in range(words_count))
        body = {
            "model": model,
            "prompt": f"{padding} {STORY}",
            "options": {"num_predict": tokens_count, "temperature": 0},
        }
        reply = self._watched.http.post("/api/generate", json=body, headers=_bearer(self._keys[person]))
        async with reply as response:
            async for _ in response.content:
                if leaves:
                    response.close()
                    break
            return response.status

    async def ask_together(self, people: Iterable[str], model: str, *, tokens_count: int) -> list[int]:
        return await asyncio.gather(*(self.ask(person, model, tokens_count=tokens_count) for person in people))

    async def rush(self) -> None:
        """One person asks for more at once than may wait."""
        await self.ask_together(["ada"] * (QUEUE_DEPTH_MAX + 8) + ["ben"] * 2, MODEL, tokens_count=64)

    async def stumble(self) -> None:
        """Somebody leaves early, and asks for what there is not and for what does not work."""
        await self.ask("cleo", MODEL, tokens_count=400, leaves=True)
        assert await self.ask("cleo", "unheard-of", tokens_count=1) == 404
        assert await self.ask("cleo", BROKEN, tokens_count=1) == 500

    async def lose_a_runner(self) -> None:
        """The runner dies under a generation that has begun to answer and under one that has not."""
        answering = asyncio.create_task(self.ask("ada", MODEL, tokens_count=400))
        await self._until_at_work(1)
        reading = asyncio.create_task(self.ask("ben", MODEL, tokens_count=4, words_count=PROMPT_WORDS))
        await self._until_at_work(2)
        for runner in self._watched.cluster.processes("services.worker.runner"):
            runner.kill()
        await asyncio.gather(answering, reading)

    async def crowd_out(self) -> None:
        """Two models in use take all the memory, and a third is asked for."""
        busy = [
            asyncio.create_task(self.ask(person, model, tokens_count=300))
            for person, model in (("ada", MODEL), ("ben", SECOND))
        ]
        await self._until_at_work(len(busy))
        assert await self.ask("cleo", THIRD, tokens_count=1) == 200
        await asyncio.gather(*busy)

    async def move_models(self) -> None:
        """Pull one that is right and one that is not, push one, and have the registry look for new versions."""
        source, elsewhere = self._watched.source, self._watched.elsewhere
        source.add(FOLLOWED, {MediaType.MODEL: tiny_model()})
        wrong = source.add_weights("team/wrong:latest", weights := tiny_model(general__name=b"wrong"))
        source.blobs[wrong] = weights[:-1] + b"!"
        await self._admin("/api/pull", {"model": f"{self._watched.source_address}/team/wrong", "insecure": True})
        await self._admin("/api/pull", {"model": f"{self._watched.source_address}/{FOLLOWED}", "insecure": True})
        name = f"{elsewhere}/team/{SECOND}"
        await self._admin("/api/copy", {"source": SECOND, "destination": name})
        await self._admin("/api/push", {"model": name, "insecure": True})
        async with control_jobs.connected(self._watched.cluster.redis_url) as jobs:
            await jobs.enqueue_job("update", _queue_name=keys.REGISTRY_JOBS)  # its hour may be far away

    async def _until_at_work(self, count: int) -> None:
        await until(lambda: asyncio.to_thread(lambda: slots_in_use(self._watched.cluster) >= count), within_s=30)

    async def _admin(self, path: str, body: dict[str, Any]) -> str:
        async with self._watched.http.post(path, json=body, headers=_bearer(ADMIN_KEY)) as response:
            text = await response.text()
            assert response.status == 200, text
            return text


async def everything_happens(team: Team) -> None:
    """One of each, as fast as two cores can."""
    await team.join()
    await asyncio.gather(team.move_models(), team.ask_together(PEOPLE, MODEL, tokens_count=48))
    await team.rush()
    await team.stumble()
    await team.lose_a_runner()
    await team.crowd_out()


async def a_day(team: Team, *, ends_s: float) -> None:
    """People come, ask now this model and now that, pause and leave, until that time of the monotonic clock."""
    await team.join()
    random = Random(7)
    habits = {"ada": (MODEL, MODEL, SECOND), "ben": (SECOND, MODEL), "cleo": (MODEL, SECOND), "dora": (MODEL,)}

    async def work(person: str) -> None:
        while time.monotonic() < ends_s:
            together = [person] * random.choice((1, 1, 2, 6 if person == "ada" else 1))
            await team.ask_together(together, random.choice(habits[person]), tokens_count=random.randint(24, 160))
            await asyncio.sleep(random.uniform(0.5, 6))

    async def trouble() -> None:
        for happens in (team.move_models, team.stumble, team.crowd_out, team.lose_a_runner, team.rush):
            await asyncio.sleep((ends_s - time.monotonic()) / 4)
            await happens()

    await asyncio.gather(trouble(), *(work(person) for person in habits))


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
