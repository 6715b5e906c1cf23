"""The table of transfers: one for each model and kind, recorded until it is done."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.polling import until
from services.registry.transfers import transfers as module
from services.registry.transfers.progress import Progress
from services.registry.transfers.transfer import Transfer, TransferKind
from services.registry.transfers.transfers import WAITING, Transfers
from shared.errors import InternalError, TransferCancelled, Unavailable, UpstreamFailed
from shared.model_name import ModelName, parse_model_name

TINY, OTHER = parse_model_name("tiny"), parse_model_name("other")
STEP = Progress(status="pulling manifest")


class KeptRecords:
    """Records in memory; `away` refuses them, and they are forgotten when `forgetful` is set."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.away = False
        self.forgetting = asyncio.Event()
        self.forgetful = asyncio.Event()
        self.forgetful.set()

    async def remember(self, transfer: Transfer, *, insecure: bool) -> None:
        if self.away:
            raise Unavailable("Redis cannot be reached")
        self.ids.add(transfer.id)

    async def forget(self, transfer_id: str) -> bool:
        self.forgetting.set()
        await asyncio.sleep(0)
        await self.forgetful.wait()
        known = transfer_id in self.ids
        self.ids.discard(transfer_id)
        return known


class Job:
    """Work that goes on until it is let go, or fails."""

    def __init__(self) -> None:
        self.started: list[ModelName] = []
        self.cleaned_up_count = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, name: ModelName, *, insecure: bool, report: Transfer) -> None:
        self.started.append(name)
        report.tell(STEP)
        try:
            await self.gate.wait()
        finally:
            await asyncio.sleep(0)
            self.cleaned_up_count += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def records() -> KeptRecords:
    return KeptRecords()


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.fixture
async def transfers(records: KeptRecords, job: Job) -> AsyncIterator[Transfers]:
    table = Transfers(records, {TransferKind.PULL: job, TransferKind.PUSH: job}, running_max=1)
    yield table
    await table.close()


async def test_those_who_want_the_same_share_it(transfers: Transfers, job: Job, records: KeptRecords) -> None:
    both = await asyncio.gather(*(transfers.pull(parse_model_name(name)) for name in ("tiny", "TINY:latest")))
    assert both[0] is both[1]
    assert transfers.running() == [both[0]]
    assert records.ids == {both[0].id}
    job.gate.set()
    await both[0].wait()
    assert job.started == [TINY]
    assert transfers.running() == []
    assert records.ids == set()


async def test_a_push_of_a_model_is_not_its_pull(transfers: Transfers) -> None:
    assert await transfers.pull(TINY) is not await transfers.push(TINY)
    assert len(transfers.running()) == 2


async def test_what_has_ended_is_not_joined(transfers: Transfers, job: Job) -> None:
    job.gate.set()
    first = await transfers.pull(TINY)
    await first.wait()
    second = await transfers.pull(TINY)
    await second.wait()
    assert first is not second
    assert job.started == [TINY, TINY]


async def test_a_failure_is_told_and_forgotten(transfers: Transfers, job: Job, records: KeptRecords) -> None:
    job.error = UpstreamFailed("gone")
    job.gate.set()
    transfer = await transfers.pull(TINY)
    with pytest.raises(UpstreamFailed, match="gone"):
        await transfer.wait()
    assert records.ids == set()


async def test_an_accident_shows_none_of_its_details(transfers: Transfers, job: Job) -> None:
    job.error = OSError("/secret/path")
    job.gate.set()
    transfer = await transfers.pull(TINY)
    with pytest.raises(InternalError) as shown:
        await transfer.wait()
    assert "/secret/path" not in shown.value.message


async def test_beyond_the_limit_transfers_wait_and_say_so(transfers: Transfers, job: Job) -> None:
    first, second = await transfers.pull(TINY), await transfers.pull(OTHER)
    assert await anext(second.follow()) == WAITING
    assert job.started == [TINY]
    job.gate.set()
    await asyncio.gather(first.wait(), second.wait())
    assert job.started == [TINY, OTHER]


async def test_more_than_can_wait_are_refused(transfers: Transfers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRANSFERS_MAX", 1)
    await transfers.pull(TINY)
    with pytest.raises(Unavailable):
        await transfers.pull(OTHER)
    assert await transfers.pull(TINY)


async def test_what_cannot_be_recorded_is_not_begun(transfers: Transfers, records: KeptRecords, job: Job) -> None:
    records.away = True
    with pytest.raises(Unavailable):
        await transfers.pull(TINY)
    assert (transfers.running(), job.started) == ([], [])


@pytest.mark.parametrize("name", [TINY, OTHER], ids=["running", "waiting"])
async def test_cancelling_ends_it_for_everybody(
    transfers: Transfers, records: KeptRecords, job: Job, name: ModelName
) -> None:
    table = {each: await transfers.pull(each) for each in (TINY, OTHER)}
    await until(lambda: bool(job.started))
    assert await transfers.cancel(table[name].id)
    with pytest.raises(TransferCancelled):
        await table[name].wait()
    assert table[name].id not in records.ids
    assert job.cleaned_up_count == (1 if name is TINY else 0)


async def test_cancelling_twice_lets_the_clean_up_end(transfers: Transfers, job: Job) -> None:
    transfer = await transfers.pull(TINY)
    await until(lambda: bool(job.started))
    assert await asyncio.gather(*(transfers.cancel(transfer.id) for _ in range(3))) == [True] * 3
    assert job.cleaned_up_count == 1


async def test_what_nobody_started_cannot_be_cancelled(transfers: Transfers) -> None:
    assert not await transfers.cancel("pull-0123456789abcdef")


async def test_what_is_only_recorded_can_be_cancelled(transfers: Transfers, records: KeptRecords) -> None:
    records.ids.add("pull-0123456789abcdef")
    assert await transfers.cancel("pull-0123456789abcdef")


async def test_stopping_keeps_what_runs_and_tells_who_follows(
    transfers: Transfers, records: KeptRecords, job: Job
) -> None:
    transfer = await transfers.pull(TINY)
    await until(lambda: bool(job.started))
    await transfers.close()
    with pytest.raises(Unavailable, match="goes on when it is back"):
        await transfer.wait()
    assert records.ids == {transfer.id}
    assert job.cleaned_up_count == 1
    with pytest.raises(Unavailable):
        await transfers.pull(OTHER)


async def test_a_recorded_transfer_is_taken_up_once(transfers: Transfers, job: Job) -> None:
    resumed = [asyncio.create_task(transfers.resume(TransferKind.PULL, TINY, insecure=False)) for _ in range(2)]
    await until(lambda: bool(job.started))
    joined = await transfers.pull(TINY)
    job.error = UpstreamFailed("gone")
    job.gate.set()
    await asyncio.gather(*resumed)
    with pytest.raises(UpstreamFailed):
        await joined.wait()
    assert job.started == [TINY]


@pytest.mark.parametrize("ending", ["cancelled", "stopped"])
async def test_what_is_done_cannot_be_cancelled_any_more(
    transfers: Transfers, records: KeptRecords, job: Job, ending: str
) -> None:
    records.forgetful.clear()
    job.gate.set()
    transfer = await transfers.pull(TINY)
    await records.forgetting.wait()
    late = asyncio.create_task(transfers.close() if ending == "stopped" else _cancelled(transfers, transfer))
    await asyncio.wait([late], timeout=0.01)
    records.forgetful.set()
    await late
    async with asyncio.timeout(1):
        await transfer.wait()
    assert (transfers.running(), records.ids) == ([], set())


async def _cancelled(transfers: Transfers, transfer: Transfer) -> None:
    assert await transfers.cancel(transfer.id)


async def test_what_is_cancelled_before_it_could_begin_ends_as_well(
    transfers: Transfers, records: KeptRecords, job: Job
) -> None:
    transfer = await transfers.pull(TINY)
    assert await transfers.cancel(transfer.id)
    async with asyncio.timeout(1):
        with pytest.raises(TransferCancelled):
            await transfer.wait()
    assert (transfers.running(), records.ids, job.started) == ([], set(), [])


async def test_who_asks_for_https_does_not_share_a_plain_pull(transfers: Transfers) -> None:
    plain = await transfers.pull(TINY, insecure=True)
    secure = await transfers.pull(TINY)
    assert plain is not secure
    assert transfers.running() == [plain, secure]
    assert await transfers.pull(TINY, insecure=True) is plain
    assert await transfers.pull(TINY) is secure
    assert await transfers.cancel(plain.id)
    assert transfers.running() == [secure]


async def test_a_recorded_plain_pull_is_taken_up_as_one(transfers: Transfers, job: Job) -> None:
    resumed = asyncio.create_task(transfers.resume(TransferKind.PULL, TINY, insecure=True))
    await until(lambda: bool(job.started))
    assert [transfer.id for transfer in transfers.running()] == [(await transfers.pull(TINY, insecure=True)).id]
    job.gate.set()
    await resumed


async def test_a_pull_replaces_a_model_as_soon_as_anybody_asked_for_it_by_name(transfers: Transfers, job: Job) -> None:
    transfer = await transfers.pull(TINY, only_if_absent=True)
    assert transfer.only_if_absent
    assert not (await transfers.pull(TINY)).only_if_absent
    assert not (await transfers.pull(TINY, only_if_absent=True)).only_if_absent
    resuming = asyncio.create_task(transfers.resume(TransferKind.PULL, OTHER, insecure=False, only_if_absent=True))
    await until(lambda: [each.only_if_absent for each in transfers.running()] == [False, True])
    job.gate.set()
    await resuming
