"""The residency manager with runners that have no process, on a clock that only the test moves."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from msgspec import structs

from fakes.clock import FakeClock
from fakes.polling import until
from fakes.residency import KEEP_ALIVE_S, ResidencyHarness, opened_with, threads_of
from services.worker.residency.sizes import Footprint
from services.worker.runner.messages import Open, StepDone
from shared.digest import Digest
from shared.errors import MemoryExceeded, ModelLoadFailed, Unavailable, WorkerBusy
from shared.model_index import resident_weights


@pytest.fixture
async def harness(tmp_path: Path, clock: FakeClock) -> ResidencyHarness:
    # The session is never used: every blob is in the store.
    async with aiohttp.ClientSession() as session:
        return ResidencyHarness(tmp_path, clock, session)


async def test_a_model_being_loaded_tells_since_when_and_how_long_it_took_the_last_time(
    harness: ResidencyHarness, clock: FakeClock
) -> None:
    entry = harness.entry("a")

    def told() -> tuple[int | None, float | None]:
        (model,) = harness.residency.state(draining=False).models
        return model.loading_since_unix_ms, model.load_expected_s

    async def load(*, load_s: float) -> tuple[int | None, float | None]:
        harness.may_open.clear()
        loading = asyncio.create_task(harness.residency.load(entry))
        await until(lambda: bool(harness.held()))
        clock.advance(load_s)
        seen = told()
        harness.may_open.set()
        await loading
        return seen

    began_unix_ms = clock.unix_ms()
    assert await load(load_s=4.0) == (began_unix_ms, None)
    assert told() == (None, None)
    await harness.residency.unload(entry.weights)
    began_unix_ms = clock.unix_ms()
    assert await load(load_s=1.0) == (began_unix_ms, 4.0)


async def test_a_model_is_loaded_once_however_often_it_is_asked_for(harness: ResidencyHarness) -> None:
    entry = harness.entry("a")
    await asyncio.gather(*(harness.residency.load(entry) for _ in range(3)))
    assert len(harness.runners) == 1
    assert harness.held() == {"a": "ready"}


async def test_a_model_with_adapters_is_another_one_over_the_same_file(harness: ResidencyHarness) -> None:
    plain, adapter = harness.entry("a"), harness.entry("c").weights
    adapted = structs.replace(
        plain, weights=resident_weights(plain.weights, [adapter]), base_weights=plain.weights, adapters=(adapter,)
    )
    await harness.residency.load(plain)
    await harness.residency.load(adapted)
    opened = [command.params for runner in harness.runners for command in runner.told if isinstance(command, Open)]
    assert len({params.path for params in opened}) == 1
    assert [[Path(path).name[-1] for path in params.adapters] for params in opened] == [[], ["c"]]


async def test_a_model_that_embeds_is_opened_for_it_and_takes_more_texts_in_a_pass_than_it_has_slots(
    harness: ResidencyHarness,
) -> None:
    await harness.residency.load(structs.replace(harness.entry("a"), capabilities=("embedding",)))
    await harness.load("b")
    opened = [command.params for runner in harness.runners for command in runner.told if isinstance(command, Open)]
    assert [(params.embeddings, params.n_seq_max) for params in opened] == [(True, 64), (False, 2)]
    assert harness.ready[0].slots_count == 2


async def test_a_loading_model_is_shown_as_loading(harness: ResidencyHarness) -> None:
    harness.may_open.clear()
    loading = asyncio.create_task(harness.load("a"))
    await until(lambda: bool(harness.runners))
    assert harness.held() == {"a": "loading"}
    harness.may_open.set()
    await loading
    assert harness.held() == {"a": "ready"}


async def test_a_failed_load_leaves_nothing_behind_and_may_be_tried_again(harness: ResidencyHarness) -> None:
    harness.refusal = ModelLoadFailed("broken")
    with pytest.raises(ModelLoadFailed):
        await harness.load("a")
    assert harness.held() == {}
    harness.refusal = None
    await harness.load("a")
    assert harness.held() == {"a": "ready"}


async def test_an_idle_model_is_unloaded_when_its_keep_alive_has_passed(
    harness: ResidencyHarness, clock: FakeClock
) -> None:
    harness.lease(await harness.load("a")).release()
    clock.advance(KEEP_ALIVE_S - 1)
    await harness.residency.sweep()
    assert harness.held() == {"a": "ready"}
    clock.advance(1)
    await harness.residency.sweep()
    assert harness.held() == {}
    assert harness.runners[0].is_closed


async def test_a_model_in_use_does_not_expire_and_its_time_starts_anew_afterwards(
    harness: ResidencyHarness, clock: FakeClock
) -> None:
    lease = harness.lease(await harness.load("a"))
    clock.advance(KEEP_ALIVE_S * 2)
    await harness.residency.sweep()
    lease.release()
    clock.advance(KEEP_ALIVE_S - 1)
    await harness.residency.sweep()
    assert harness.held() == {"a": "ready"}


async def test_a_requests_own_keep_alive_counts_until_another_says_otherwise(
    harness: ResidencyHarness, clock: FakeClock
) -> None:
    model = await harness.load("a")
    harness.lease(model, 10.0).release()
    harness.lease(model, None).release()
    clock.advance(10)
    await harness.residency.sweep()
    assert harness.held() == {}


async def test_what_is_no_use_does_not_keep_the_model_in_memory(harness: ResidencyHarness, clock: FakeClock) -> None:
    model = await harness.load("a")
    harness.lease(model).release()
    clock.advance(KEEP_ALIVE_S - 1)
    look = harness.residency.lease(model, None, is_use=False)
    clock.advance(1)
    await harness.residency.sweep()
    assert harness.held() == {"a": "ready"}, "nothing is taken from under it"
    look.release()
    await harness.residency.sweep()
    assert harness.held() == {}


async def test_what_is_no_use_saves_no_model_from_making_room(harness: ResidencyHarness, clock: FakeClock) -> None:
    for name in "abc":
        harness.lease(await harness.load(name)).release()
        clock.advance(1)
    harness.residency.lease(harness.ready[0], None, is_use=False).release()
    await harness.load("d")
    assert set(harness.held()) == {"b", "c", "d"}


async def test_a_negative_keep_alive_pins_the_model(harness: ResidencyHarness, clock: FakeClock) -> None:
    harness.lease(await harness.load("a"), -1.0).release()
    clock.advance(10 * KEEP_ALIVE_S)
    await harness.residency.sweep()
    (model,) = harness.residency.state(draining=False).models
    assert model.expires_unix_ms is None


async def test_the_expiry_shown_is_when_the_model_goes(harness: ResidencyHarness, clock: FakeClock) -> None:
    harness.lease(await harness.load("a")).release()
    clock.advance(100)
    (model,) = harness.residency.state(draining=False).models
    assert model.expires_unix_ms == clock.unix_ms() + 200_000


async def test_the_models_unused_for_longest_make_room(harness: ResidencyHarness, clock: FakeClock) -> None:
    for name in "abc":
        harness.lease(await harness.load(name)).release()
        clock.advance(1)
    await harness.load("d")
    assert set(harness.held()) == {"b", "c", "d"}


async def test_a_model_is_postponed_while_everything_that_could_go_is_in_use(harness: ResidencyHarness) -> None:
    leases = [harness.lease(await harness.load(name)) for name in "abc"]
    with pytest.raises(WorkerBusy):
        await harness.load("d")
    leases[1].release()
    await harness.load("d")
    assert set(harness.held()) == {"a", "c", "d"}


async def test_a_model_that_can_never_fit_evicts_nobody(harness: ResidencyHarness) -> None:
    await harness.load("a")
    with pytest.raises(MemoryExceeded):
        await harness.load("b", gib=11)
    assert harness.held() == {"a": "ready"}


async def test_models_at_work_share_the_threads_and_get_them_back(harness: ResidencyHarness) -> None:
    first, second = await harness.load("a"), await harness.load("b")
    one = harness.lease(first)
    assert threads_of(harness.runners[0]) == 4
    two = harness.lease(second)
    assert [threads_of(runner) for runner in harness.runners] == [2, 2]
    two.release()
    assert threads_of(harness.runners[0]) == 4
    one.release()


async def test_a_model_with_a_thread_count_of_its_own_keeps_it(harness: ResidencyHarness) -> None:
    own, other = await harness.load("a", params={"num_thread": 3}), await harness.load("b")
    leases = [harness.lease(own), harness.lease(other)]
    assert [threads_of(runner) for runner in harness.runners] == [3, 2]
    for lease in leases:
        lease.release()


async def test_a_model_that_loads_while_the_threads_are_divided_gets_its_share(harness: ResidencyHarness) -> None:
    first, second = await harness.load("a"), await harness.load("b")
    harness.may_open.clear()
    loading = asyncio.create_task(harness.load("c"))
    await until(lambda: len(harness.runners) == 3)
    leases = [harness.lease(first), harness.lease(second)]
    harness.may_open.set()
    await loading
    assert threads_of(harness.runners[2]) == 2
    for lease in leases:
        lease.release()


async def test_an_unload_waits_for_the_last_lease(harness: ResidencyHarness) -> None:
    model = await harness.load("a")
    leases = [harness.lease(model) for _ in range(2)]
    unloading = asyncio.create_task(harness.residency.unload(model.entry.weights))
    leases[0].release()
    await until(lambda: harness.held() == {"a": "draining"})
    assert not unloading.done()
    leases[1].release()
    await unloading
    assert harness.held() == {}


async def test_an_unload_in_waiting_does_not_hold_up_other_loads(harness: ResidencyHarness) -> None:
    model = await harness.load("a")
    lease = harness.lease(model)
    unloading = asyncio.create_task(harness.residency.unload(model.entry.weights))
    await until(lambda: harness.held() == {"a": "draining"})
    await harness.load("b")
    assert harness.held() == {"a": "draining", "b": "ready"}
    lease.release()
    await unloading


async def test_unloading_what_is_not_here_does_nothing(harness: ResidencyHarness) -> None:
    await harness.residency.unload(Digest("sha256:" + "f" * 64))
    assert harness.held() == {}


async def test_a_dead_runners_model_goes_once_its_users_have_let_go(harness: ResidencyHarness) -> None:
    model = await harness.load("a")
    lease = harness.lease(model)
    harness.runners[0].die("killed by signal 9")
    assert harness.deaths == ["killed by signal 9"]
    with pytest.raises(Unavailable):
        harness.lease(model)
    lease.release()
    await until(lambda: harness.held() == {})
    await harness.load("a")
    assert harness.held() == {"a": "ready"}


async def test_a_lease_released_twice_counts_once(harness: ResidencyHarness) -> None:
    model = await harness.load("a")
    first, second = harness.lease(model), harness.lease(model)
    first.release()
    first.release()
    assert model.leases == 1
    second.release()
    assert model.leases == 0


async def test_a_context_that_grew_is_counted_in_the_models_size(harness: ResidencyHarness) -> None:
    model = await harness.load("a")
    before_bytes = model.takes.host_bytes
    harness.runners[0].report(StepDone(events=[], context_tokens=2048))
    assert model.takes == Footprint(host_bytes=before_bytes + 1000 * 1024 * 2)
    assert model.context_tokens == 2048


async def test_the_context_asked_for_at_load_is_no_larger_than_the_model_knows(harness: ResidencyHarness) -> None:
    await harness.load("a", params={"num_ctx": 100_000})
    opening = harness.runners[0].told[0]
    assert isinstance(opening, Open)
    assert opening.params.n_ctx_seq == 8192


async def test_closing_ends_every_runner_even_those_in_use(harness: ResidencyHarness) -> None:
    lease = harness.lease(await harness.load("a"))
    await harness.load("b")
    await harness.residency.close()
    assert all(runner.is_closed for runner in harness.runners)
    lease.release()


async def test_without_a_gpu_what_a_model_wants_of_it_is_computed_on_the_cpu(harness: ResidencyHarness) -> None:
    await harness.load("a", params={"num_gpu": 99})
    assert opened_with(harness.runners[0]).n_gpu_layers == 0
