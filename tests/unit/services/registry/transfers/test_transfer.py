"""What followers of a transfer hear, whenever they come and however slow they are."""

import asyncio

import pytest

from services.registry.transfers import transfer as module
from services.registry.transfers.progress import Progress
from services.registry.transfers.transfer import Transfer, TransferKind
from shared.digest import Digest, digest_of
from shared.errors import BlobUnknown, UpstreamFailed, UpstreamUnknown
from shared.model_name import parse_model_name

ONE, TWO = digest_of(b"one"), digest_of(b"two")
MANIFEST = Progress(status="pulling manifest")
SUCCESS = Progress(status="success")


def pulling(digest: Digest, completed: int) -> Progress:
    return Progress(status=f"pulling {digest[7:19]}", digest=digest, total=100, completed=completed)


@pytest.fixture
def transfer() -> Transfer:
    return Transfer(TransferKind.PULL, parse_model_name("tiny"))


async def events(transfer: Transfer) -> list[Progress]:
    return [event async for event in transfer.follow()]


def test_the_same_model_and_kind_is_the_same_transfer_whatever_its_spelling() -> None:
    names = ("Tiny", "tiny:latest", "registry.ollama.ai/library/TINY:Latest")
    pulls = {Transfer(TransferKind.PULL, parse_model_name(name)).id for name in names}
    assert len(pulls) == 1
    push = Transfer(TransferKind.PUSH, parse_model_name("tiny"))
    assert push.id not in pulls
    assert "/" not in push.id


async def test_a_late_follower_gets_the_present_state_and_then_the_rest(transfer: Transfer) -> None:
    for event in (MANIFEST, pulling(ONE, 5), pulling(ONE, 100), pulling(TWO, 7)):
        transfer.tell(event)
    following = transfer.follow()
    assert [await anext(following) for _ in range(3)] == [MANIFEST, pulling(ONE, 100), pulling(TWO, 7)]
    rest = asyncio.create_task(anext(following))
    await asyncio.sleep(0)
    transfer.tell(pulling(TWO, 60))
    assert await rest == pulling(TWO, 60)
    transfer.tell(SUCCESS)
    transfer.end(None)
    assert [event async for event in following] == [SUCCESS]


async def test_a_slow_follower_misses_numbers_but_no_step(transfer: Transfer) -> None:
    following = transfer.follow()
    transfer.tell(MANIFEST)
    assert await anext(following) == MANIFEST
    for completed in range(101):
        transfer.tell(pulling(ONE, completed))
    transfer.tell(SUCCESS)
    transfer.end(None)
    assert [event async for event in following] == [pulling(ONE, 100), SUCCESS]


async def test_a_growing_blob_is_told_of_at_intervals_and_a_new_step_at_once(
    transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENT_INTERVAL_S", 3600.0)
    transfer.tell(pulling(ONE, 1))
    following = transfer.follow()
    assert await anext(following) == pulling(ONE, 1)
    waiting = asyncio.create_task(anext(following))
    await asyncio.sleep(0)
    transfer.tell(pulling(ONE, 2))
    await asyncio.sleep(0)
    assert not waiting.done()
    transfer.tell(pulling(TWO, 1))
    assert await waiting == pulling(ONE, 2)
    assert await anext(following) == pulling(TWO, 1)
    transfer.end(None)


async def test_in_a_long_silence_the_last_event_is_told_again(
    transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_S_MAX", 0.001)
    transfer.tell(pulling(ONE, 3))
    following = transfer.follow()
    assert [await anext(following) for _ in range(3)] == [pulling(ONE, 3)] * 3


async def test_everybody_hears_why_it_ended(transfer: Transfer) -> None:
    transfer.tell(MANIFEST)
    following = [asyncio.create_task(events(transfer)) for _ in range(3)]
    waiting = [asyncio.create_task(wait) for wait in (transfer.wait(), transfer.manifest(), transfer.blob(ONE))]
    await asyncio.sleep(0)
    transfer.end(UpstreamFailed("the registry is gone"))
    for task in (*following, *waiting):
        with pytest.raises(UpstreamFailed, match="the registry is gone"):
            await task


async def test_an_error_before_the_first_step_is_the_first_thing_heard(transfer: Transfer) -> None:
    transfer.end(UpstreamUnknown())
    with pytest.raises(UpstreamUnknown):
        await anext(transfer.follow())


async def test_manifest_and_blobs_are_known_as_soon_as_they_are_here(transfer: Transfer) -> None:
    manifest, one = asyncio.create_task(transfer.manifest()), asyncio.create_task(transfer.blob(ONE))
    await asyncio.sleep(0)
    transfer.manifest_known(b"{}")
    assert await manifest == b"{}"
    transfer.blob_published(TWO)
    await asyncio.sleep(0)
    assert not one.done()
    transfer.blob_published(ONE)
    await one
    transfer.end(UpstreamFailed("later"))
    await transfer.blob(ONE)
    assert await transfer.manifest() == b"{}"


async def test_a_blob_that_is_not_the_models_is_unknown_at_the_end(transfer: Transfer) -> None:
    transfer.end(None)
    with pytest.raises(BlobUnknown):
        await transfer.blob(ONE)


async def test_the_state_sums_up_all_blobs(transfer: Transfer) -> None:
    assert transfer.state == Progress(status="waiting")
    for event in (MANIFEST, pulling(ONE, 100), pulling(TWO, 7)):
        transfer.tell(event)
    assert transfer.state == Progress(status=f"pulling {TWO[7:19]}", total=200, completed=107)
    transfer.end(None)
