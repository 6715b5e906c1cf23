"""Models of other registries: fetched for whoever asks first, shared by everybody who asks meanwhile."""

import asyncio

import pytest

from fakes.small_models import small_model
from services.registry.distribution import mirror as mirror_module
from services.registry.distribution.dialect import Refusal
from services.registry.distribution.mirror import PULLS_MAX, Mirror, Pull
from services.registry.transfers.transfer import TransferKind
from shared.digest import Digest, digest_of
from shared.errors import CorralError, DeadlineExceeded, UpstreamFailed, UpstreamForbidden, UpstreamUnknown
from shared.model_name import ModelName, parse_model_name

MODEL = small_model()
NAME = parse_model_name("hub.example/team/bot:v1")
BLOB = next(iter(MODEL.blobs))


class FakePull:
    def __init__(
        self,
        name: ModelName,
        content: bytes | CorralError,
        kind: TransferKind = TransferKind.PULL,
        *,
        only_if_absent: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.only_if_absent = only_if_absent
        self._content = content

    async def manifest(self) -> bytes:
        if isinstance(self._content, CorralError):
            raise self._content
        return self._content

    async def blob(self, digest: Digest) -> None: ...


class FakePulls:
    """Answers every pull with the same, and never ends one."""

    def __init__(self, content: bytes | CorralError) -> None:
        self.content = content
        self.transfers: list[Pull] = []

    async def pull(self, name: ModelName, *, only_if_absent: bool) -> Pull:
        await asyncio.sleep(0)
        self.transfers.append(FakePull(name, self.content, only_if_absent=only_if_absent))
        return self.transfers[-1]

    def running(self) -> list[Pull]:
        return self.transfers


async def test_the_other_registrys_manifest_is_told_and_its_blobs_are_known() -> None:
    mirror = Mirror(FakePulls(MODEL.manifest))
    assert await mirror.arriving(NAME, BLOB) is None
    assert await mirror.manifest(NAME, None) == MODEL.manifest
    for digest, content in MODEL.blobs.items():
        arriving = await mirror.arriving(parse_model_name("hub.example/TEAM/bot"), digest)
        assert arriving is not None
        assert arriving.size_bytes == len(content)
    assert await mirror.arriving(NAME, digest_of(b"another")) is None
    assert await mirror.arriving(parse_model_name("hub.example/team/other"), BLOB) is None


async def test_what_is_pulled_for_a_tag_is_found_by_its_digest_without_asking_again() -> None:
    pulls = FakePulls(MODEL.manifest)
    mirror = Mirror(pulls)
    assert await mirror.manifest(NAME, MODEL.digest) is None
    await mirror.manifest(NAME, None)
    assert await mirror.manifest(NAME, MODEL.digest) == MODEL.manifest
    assert await mirror.manifest(NAME, digest_of(b"another")) is None
    assert len(pulls.transfers) == 1


async def test_neither_a_push_nor_a_pull_that_failed_brings_blobs() -> None:
    pulls = FakePulls(MODEL.manifest)
    pulls.transfers += [
        FakePull(NAME, MODEL.manifest, TransferKind.PUSH),
        FakePull(NAME, UpstreamFailed("connection refused")),
    ]
    assert await Mirror(pulls).arriving(NAME, BLOB) is None


@pytest.mark.parametrize("error", [UpstreamUnknown(), UpstreamForbidden("not on the list")])
async def test_a_registry_without_it_and_one_that_may_not_be_asked_look_alike(error: CorralError) -> None:
    assert await Mirror(FakePulls(error)).manifest(NAME, None) is None


async def test_a_pull_that_fails_is_told_as_it_failed() -> None:
    with pytest.raises(UpstreamFailed):
        await Mirror(FakePulls(UpstreamFailed("connection refused"))).manifest(NAME, None)


async def test_a_silent_registry_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(FakePulls):
        async def pull(self, name: ModelName, *, only_if_absent: bool) -> Pull:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(mirror_module, "MANIFEST_WAIT_S", 0.01)
    with pytest.raises(DeadlineExceeded):
        await Mirror(Silent(b"")).manifest(NAME, None)


async def test_readers_start_only_so_many_pulls_at_a_time() -> None:
    pulls = FakePulls(MODEL.manifest)
    asked = FakePull(parse_model_name("hub.example/team/asked"), MODEL.manifest)
    pulls.transfers.append(asked)
    mirror = Mirror(pulls)
    names = [parse_model_name(f"hub.example/team/bot{number}") for number in range(PULLS_MAX + 2)]
    told = await asyncio.gather(*(mirror.manifest(name, None) for name in names), return_exceptions=True)
    assert told[:PULLS_MAX] == [MODEL.manifest] * PULLS_MAX
    for refusal in told[PULLS_MAX:]:
        assert isinstance(refusal, Refusal)
        assert (refusal.status, refusal.code) == (429, "TOOMANYREQUESTS")
        assert refusal.headers == {"Retry-After": "60"}
    for name in (names[0], asked.name):
        assert await mirror.manifest(name, None) == MODEL.manifest
