"""Building models over a real store: steps in Ollama's order, nothing left behind by what fails."""

import asyncio
import contextlib
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from fakes import gguf_files as fake
from fakes.building import FakeConversions, FakePulls
from fakes.polling import until
from services.registry.blob_store import BlobStore
from services.registry.building.builder import Builder, Store
from services.registry.building.pins import parse_base
from services.registry.building.request import CreateRequest
from services.registry.content import read_config, read_content
from services.registry.headers import Headers
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths
from services.registry.quota import Quota, Usage
from services.registry.transfers.progress import Progress
from shared.digest import Digest, digest_of
from shared.errors import (
    BlobMissing,
    ModelFileInvalid,
    ModelUnknown,
    ParameterInvalid,
    QuantizationUnsupported,
    StoreFull,
    UpstreamUnknown,
)
from shared.manifest import Manifest, MediaType
from shared.model_name import ModelName, parse_model_name

TINY = fake.tiny_model()
F16 = fake.tiny_model(general__file_type=fake.typed("u32", 1))
ADAPTER = fake.tiny_model(general__type=fake.string("adapter"))
CLIP = fake.gguf({"general.architecture": fake.string("clip"), "clip.has_audio_encoder": fake.typed("bool", True)})
ZEROS = "0" * 19
TINY_BYTES = len(TINY)


class Workshop:
    """A builder with everything around it."""

    def __init__(self, paths: StorePaths, blobs: BlobStore, manifests: ManifestStore) -> None:
        self.paths, self.blobs, self.manifests = paths, blobs, manifests
        self.conversions, self.pulls = FakeConversions(), FakePulls()
        self.free_bytes = 1 << 30

        async def changed() -> None:
            pass

        self.library = ModelLibrary(manifests, blobs, changed)
        quota = Quota(lambda: Usage(used_bytes=0, disk_free_bytes=self.free_bytes), bytes_max=0)
        store = Store(
            paths=paths, blobs=blobs, manifests=manifests, headers=Headers(blobs), library=self.library, quota=quota
        )
        self.builder = Builder(store, self.conversions, self.pulls)

    async def upload(self, content: bytes) -> Digest:
        digest, _ = await self.blobs.commit_bytes(content)
        return digest

    async def create(self, name: str = "bot", base: str = "", **fields: Any) -> list[Progress]:
        request = CreateRequest(name=parse_model_name(name), base=parse_base(base) if base else None, **fields)
        return [step async for step in self.builder.create(request)]

    async def statuses(self, name: str = "bot", base: str = "", **fields: Any) -> list[str]:
        """What is told, a step that moves on once."""
        return [status for status, _ in groupby(step.status for step in await self.create(name, base, **fields))]

    def manifest(self, name: str = "bot") -> Manifest:
        return self.manifests.read(parse_model_name(name)).manifest

    def files(self) -> set[str]:
        return {path.name.replace("-", ":", 1) for path in self.paths.blobs.iterdir()}


@pytest.fixture
async def workshop(paths: StorePaths, blobs: BlobStore, manifests: ManifestStore) -> Workshop:
    return Workshop(paths, blobs, manifests)


async def test_a_file_becomes_a_model(workshop: Workshop) -> None:
    digest = await workshop.upload(TINY)
    assert await workshop.statuses(files={"m.gguf": digest}, system="Be brief.") == [
        "parsing GGUF",
        f"using existing layer {digest}",
        f"creating new layer {digest_of(b'Be brief.')}",
        "writing manifest",
        "success",
    ]
    assert [layer.digest for layer in workshop.manifest().layers] == [digest, digest_of(b"Be brief.")]


async def test_weights_are_quantized_on_the_way(workshop: Workshop) -> None:
    digest = await workshop.upload(F16)
    steps = await workshop.create(files={"m.gguf": digest}, quantize="Q8_0")
    (small,) = workshop.manifest().layers
    assert steps[:-4] == [
        Progress(status="parsing GGUF"),
        Progress(status="quantizing F16 model to Q8_0", digest=ZEROS, total=TINY_BYTES),
        Progress(status="quantizing F16 model to Q8_0", digest=ZEROS, total=TINY_BYTES, completed=TINY_BYTES),
    ]
    assert [step.status for step in steps[-4:]] == [
        "verifying conversion", f"using existing layer {small.digest}", "writing manifest", "success",
    ]  # fmt: skip
    assert read_config(workshop.blobs, workshop.manifest()).file_type == "Q8_0"
    assert workshop.conversions.calls == [f"quantize {digest.replace(':', '-')} Q8_0"]


async def test_a_model_that_exists_is_quantized_and_keeps_the_rest(workshop: Workshop) -> None:
    await workshop.create("base", files={"m": await workshop.upload(F16)}, system="s", parameters={"seed": 1})
    await workshop.create("small", "base", quantize="Q4_K_M")
    manifest = workshop.manifest("small")
    assert [layer.from_ for layer in manifest.layers] == ["base:latest"] * 3
    assert read_content(workshop.blobs, manifest).system == "s"
    assert read_config(workshop.blobs, manifest).file_type == "Q4_K_M"
    assert read_config(workshop.blobs, workshop.manifest("base")).file_type == "F16"


async def test_weights_that_have_the_wanted_type_are_left_alone(workshop: Workshop) -> None:
    digest = await workshop.upload(F16)
    await workshop.create(files={"m": digest}, quantize="F16")
    assert workshop.conversions.calls == []
    assert [layer.digest for layer in workshop.manifest().layers] == [digest]


async def test_a_folder_is_converted_and_quantized(workshop: Workshop) -> None:
    files = {"config.json": await workshop.upload(b"{}"), "model.safetensors": await workshop.upload(b"weights")}
    assert await workshop.statuses(files=files, quantize="Q8_0") == [
        "converting model",
        "quantizing F16 model to Q8_0",
        "verifying conversion",
        f"using existing layer {workshop.manifest().layers[0].digest}",
        "writing manifest",
        "success",
    ]
    assert read_config(workshop.blobs, workshop.manifest()).model_family == "llama"


async def test_projectors_adapters_and_drafts_become_layers_of_their_own(workshop: Workshop) -> None:
    tiny, clip, adapter, draft = [await workshop.upload(content) for content in (TINY, CLIP, ADAPTER, F16)]
    await workshop.create(
        files={"p.gguf": clip, "m.gguf": tiny},
        adapters={"a.gguf": adapter},
        draft_files={"d.gguf": draft},
        draft_quantize="Q8_0",
    )
    manifest = workshop.manifest()
    assert [layer.media_type for layer in manifest.layers] == [
        MediaType.MODEL, MediaType.PROJECTOR, MediaType.ADAPTER, MediaType.DRAFT,
    ]  # fmt: skip
    assert [layer.digest for layer in manifest.layers][:3] == [tiny, clip, adapter]
    assert read_config(workshop.blobs, manifest).model_families == ("llama", "clip")


async def test_an_adapter_folder_is_converted_for_the_model_it_adapts(workshop: Workshop) -> None:
    digest = await workshop.upload(TINY)
    await workshop.create("base", files={"m": digest})
    files = {"adapter_model.safetensors": await workshop.upload(b"a")}
    assert (await workshop.statuses("bot", "base", adapters=files))[0] == "converting adapter"
    assert workshop.conversions.calls == [
        f"convert_adapter ['adapter_model.safetensors'] for {digest.replace(':', '-')}"
    ]
    assert [layer.media_type for layer in workshop.manifest().layers] == [MediaType.MODEL, MediaType.ADAPTER]


async def test_a_split_model_is_stored_as_one_file(workshop: Workshop) -> None:
    parts = {}
    for number in (1, 2):
        head = {"general.architecture": fake.string("llama")} if number == 1 else {}
        content = fake.gguf(
            {**head, "split.count": fake.typed("u16", 2)}, [fake.tensor(f"t{number}", (32,))], data_bytes=128
        )
        parts[f"m-0000{number}-of-00002.gguf"] = await workshop.upload(content)
    assert (await workshop.statuses(files=parts))[0] == "parsing GGUF"
    (layer,) = workshop.manifest().layers
    assert layer.digest not in parts.values()
    assert Headers(workshop.blobs).facts(layer.digest).parameter_count == 64


async def test_an_absent_base_is_pulled_first(workshop: Workshop) -> None:
    digest = await workshop.upload(TINY)
    await workshop.create("other", files={"m": digest})

    def arrive(name: ModelName) -> None:
        workshop.manifests.copy(parse_model_name("other"), name)

    workshop.pulls.arrive = arrive
    workshop.pulls.steps = [Progress(status="pulling manifest")]
    assert (await workshop.statuses("bot", "far/base:1"))[:2] == ["pulling manifest", f"using existing layer {digest}"]
    assert workshop.pulls.pulled == ["far/base:1"]
    await workshop.statuses("bot", "far/base:1")
    assert workshop.pulls.pulled == ["far/base:1"]


async def test_a_base_that_cannot_be_pulled_ends_the_build(workshop: Workshop) -> None:
    workshop.pulls.error = UpstreamUnknown("pull model manifest: file does not exist")
    with pytest.raises(UpstreamUnknown):
        await workshop.create("bot", "nobody")
    with pytest.raises(ModelUnknown):
        workshop.manifest()


async def test_a_pinned_base_must_be_the_one_that_is_here(workshop: Workshop) -> None:
    await workshop.create("base", files={"m": await workshop.upload(TINY)})
    digest = workshop.manifests.read(parse_model_name("base")).digest
    for pin in (digest, digest[:12]):
        assert (await workshop.statuses("bot", f"base@sha256:{pin}"))[-1] == "success"
    await workshop.create("base", "base", system="changed")
    with pytest.raises(ParameterInvalid) as refused:
        await workshop.create("bot", f"base@sha256:{digest}")
    assert digest in refused.value.message
    assert workshop.manifests.read(parse_model_name("base")).digest in refused.value.message


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"files": {"m": digest_of(TINY)}, "quantize": "Q8_0"}, QuantizationUnsupported),
        ({"files": {"m.gguf": digest_of(b"no model")}}, ParameterInvalid),
        ({"files": {"m.bin": digest_of(b"no model")}}, ParameterInvalid),
        ({"files": {"m": digest_of(TINY[:200])}}, ModelFileInvalid),
        ({"files": {"m": digest_of(b"absent")}}, BlobMissing),
        ({"files": {"model.safetensors": digest_of(b"absent")}}, BlobMissing),
        ({"files": {"m": digest_of(TINY)}, "adapters": {"a": digest_of(TINY)}}, ParameterInvalid),
        ({"files": {"m": digest_of(TINY)}, "draft_files": {"d": digest_of(CLIP)}}, ParameterInvalid),
    ],
)
async def test_what_cannot_be_is_refused_before_the_first_step(
    workshop: Workshop, fields: dict[str, Any], error: type[Exception]
) -> None:
    for content in (TINY, b"no model", TINY[:200], CLIP):
        await workshop.upload(content)
    before = workshop.files()
    with pytest.raises(error):
        await anext(workshop.builder.create(CreateRequest(name=parse_model_name("bot"), **fields)))
    assert workshop.files() == before


async def test_a_conversion_that_fails_leaves_nothing_behind(workshop: Workshop) -> None:
    digest = await workshop.upload(F16)
    workshop.conversions.error = ModelFileInvalid("a tensor is missing")
    with pytest.raises(ModelFileInvalid):
        await workshop.create(files={"m": digest}, quantize="Q8_0")
    assert workshop.files() == {digest}


async def test_a_client_that_leaves_ends_the_conversion(workshop: Workshop) -> None:
    digest = await workshop.upload(F16)
    workshop.conversions.may_end.clear()
    request = CreateRequest(name=parse_model_name("bot"), files={"m": digest}, quantize="Q8_0")
    async with contextlib.aclosing(workshop.builder.create(request)) as steps:
        await anext(steps)
        await until(lambda: bool(workshop.conversions.calls))
    assert workshop.files() == {digest}
    assert len(asyncio.all_tasks()) == 1


async def test_a_conversion_needs_room_for_its_result(workshop: Workshop) -> None:
    digest = await workshop.upload(F16)
    workshop.free_bytes = (64 << 20) + len(F16) - 1
    with pytest.raises(StoreFull):
        await workshop.create(files={"m": digest}, quantize="Q8_0")
    assert workshop.conversions.calls == []
    workshop.free_bytes += 1
    assert (await workshop.statuses(files={"m": digest}, quantize="Q8_0"))[-1] == "success"


async def test_a_result_is_not_collected_before_the_model_is_written(workshop: Workshop, tmp_path: Path) -> None:
    """The same quantized blob belongs to a model that is deleted while another one is built with it."""
    digest = await workshop.upload(F16)
    await workshop.create("first", files={"m": digest}, quantize="Q8_0")
    request = CreateRequest(name=parse_model_name("second"), files={"m": digest}, quantize="Q8_0")
    async with contextlib.aclosing(workshop.builder.create(request)) as steps:
        async for step in steps:
            if step.status == "verifying conversion":
                await workshop.library.delete(parse_model_name("first"))
    assert all(workshop.blobs.size_bytes(layer.digest) for layer in workshop.manifest("second").layers)


async def test_two_variants_of_one_base_take_the_room_of_one(workshop: Workshop) -> None:
    await workshop.create("base", files={"m": await workshop.upload(TINY)})
    await workshop.create("polite", "base", system="Be polite.")
    await workshop.create("terse", "base", system="Be terse.", parameters={"num_predict": 20})
    stored_bytes = sum(path.stat().st_size for path in workshop.paths.blobs.iterdir())
    assert stored_bytes < TINY_BYTES + 2048
    assert sum(workshop.manifest(name).size_bytes for name in ("base", "polite", "terse")) > 3 * TINY_BYTES
