"""The arq functions of a worker: load and unload, a few lines each."""

import asyncio
from typing import Any, Final

import structlog
from arq import ArqRedis
from arq.worker import Function, func
from arq.worker import Worker as ArqWorker
from redis.exceptions import RedisError

from services.worker.generations import Generations
from services.worker.residency.manager import Residency
from shared import control_jobs, keys
from shared.digest import Digest
from shared.errors import CorralError, InternalError, ModelUnknown, WorkerBusy
from shared.generation_queue import GenerationQueue
from shared.model_index import ModelEntry, ModelIndex
from shared.model_name import parse_model_name

log = structlog.get_logger("corral.worker")

POLL_S: Final = 0.25  # every poll takes the processor from the models for a moment
RETRY_S: Final = 1.0
RESULT_KEPT_S: Final = 10


class Control:
    """Carries out control jobs until cancelled; arq polls its queue, so a job waits up to POLL_S."""

    def __init__(
        self,
        *,
        redis_url: str,
        worker_id: str,
        index: ModelIndex,
        queue: GenerationQueue,
        residency: Residency,
        generations: Generations,
        job_timeout_s: float,
    ) -> None:
        self._redis_url = redis_url
        self._worker_id = worker_id
        self._index = index
        self._queue = queue
        self._residency = residency
        self._generations = generations
        self._job_timeout_s = job_timeout_s

    async def run(self) -> None:
        while True:
            try:
                await self._serve()
            except (RedisError, OSError) as cause:
                log.warning("control_interrupted", cause=str(cause))
                await asyncio.sleep(RETRY_S)

    async def _serve(self) -> None:
        async with control_jobs.connected(self._redis_url) as client:
            await control_jobs.serve(self._arq_worker(client))

    def _arq_worker(self, client: ArqRedis) -> ArqWorker:
        return ArqWorker(
            functions=[
                _function(self._load, name=control_jobs.LOAD, keep_result=0, timeout=self._job_timeout_s),
                _function(
                    self._unload, name=control_jobs.UNLOAD, keep_result=RESULT_KEPT_S, timeout=self._job_timeout_s
                ),
            ],
            queue_name=keys.worker_jobs(self._worker_id),
            redis_pool=client,
            handle_signals=False,
            poll_delay=POLL_S,
            job_serializer=control_jobs.serialize,
            job_deserializer=control_jobs.deserialize,
            log_results=False,
        )

    async def _load(self, _context: dict[str, Any], model: str, weights: str) -> None:
        try:
            await self._residency.load(await self._entry(model, Digest(weights)))
        except WorkerBusy as busy:
            # The demand stays; whoever plans asks again.
            log.info("load_postponed", model=model, reason=busy.message)
        except CorralError as error:
            log.error("model_load_failed", model=model, code=error.code, reason=error.message)
            await self._fail_waiting(Digest(weights), error)
        except Exception:
            log.exception("model_load_failed", model=model)
            reason = InternalError("the model could not be loaded; the worker's log has the details")
            await self._fail_waiting(Digest(weights), reason)

    async def _entry(self, model: str, weights: Digest) -> ModelEntry:
        """Raises: ModelUnknown."""
        entry = await self._index.find_weights(parse_model_name(model), weights)
        if entry is None:
            raise ModelUnknown(f"model '{model}' not found")
        return entry

    async def _fail_waiting(self, weights: Digest, error: CorralError) -> None:
        """A model that cannot be loaded is reported once to everyone who waits for it, not retried for ever."""
        while (request := await self._queue.take_now(weights, self._worker_id)) is not None:
            await self._generations.refuse(request, error)

    async def _unload(self, _context: dict[str, Any], weights: str) -> None:
        await self._residency.unload(Digest(weights))


def _function(coroutine: Any, *, name: str, keep_result: float, timeout: float) -> Function:
    """arq's description of a function, tried once: whoever wants the effect asks again."""
    return func(coroutine, name=name, keep_result=keep_result, timeout=timeout, max_tries=1)
