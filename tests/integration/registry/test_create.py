"""The official Python client makes models of every kind: adapted, quantized, projected, split, pinned, pulled."""

import json
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path

import aiohttp
import ollama
import pytest
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from corral.modelfile import parse
from fakes import gguf_files as fake
from fakes import llama_models
from shared.model_index import ModelEntry, ModelIndex
from shared.model_name import parse_model_name


@pytest.fixture
async def half(client: ollama.AsyncClient, tmp_path: Path) -> str:
    """The digest of an uploaded F16 model that llama.cpp can load."""
    return await client.create_blob(llama_models.write_llama(tmp_path / "half.gguf"))


def blob_names(models_dir: Path) -> set[str]:
    return {path.name.replace("-", ":", 1) for path in (models_dir / "blobs").iterdir()}


def stored_bytes(models_dir: Path) -> int:
    return sum(path.stat().st_size for path in (models_dir / "blobs").iterdir())


async def entry_of(redis: Redis, name: str) -> ModelEntry:
    entry = await ModelIndex(redis).find(parse_model_name(name))
    assert entry is not None
    return entry


async def told(steps: AsyncIterator[ollama.ProgressResponse]) -> list[str]:
    """What was told, a step that moves on once."""
    return [status or "" for status, _ in groupby([step.status async for step in steps])]


@pytest.mark.parametrize(
    ("asked", "file_type"), [("q8_0", "Q8_0"), ("Q4_K", "Q4_K_M"), ("q4_k_s", "Q4_K_S"), ("bf16", "BF16")]
)
async def test_a_model_is_quantized_as_it_is_made(
    client: ollama.AsyncClient, half: str, redis: Redis, asked: str, file_type: str
) -> None:
    status = f"quantizing F16 model to {file_type}"
    steps = [step async for step in await client.create(model="small", files={"m": half}, quantize=asked, stream=True)]
    entry = await entry_of(redis, "small")
    assert [name for name, _ in groupby(step.status for step in steps)] == [
        "parsing GGUF", status, "verifying conversion", f"using existing layer {entry.weights}", "writing manifest",
        "success",
    ]  # fmt: skip
    progress = [step for step in steps if step.status == status]
    assert {(step.digest, step.total) for step in progress} == {("0" * 19, progress[0].total)}
    assert [step.completed or 0 for step in progress] == sorted(step.completed or 0 for step in progress)
    assert progress[-1].completed == progress[-1].total
    shown = await client.show("small")
    assert shown.details is not None
    assert shown.details.quantization_level == file_type
    assert entry.weights != half


async def test_a_quantized_model_cannot_be_quantized_again(client: ollama.AsyncClient) -> None:
    path = fake.real_model()
    digest = await client.create_blob(path)
    with pytest.raises(ollama.ResponseError) as refused:
        await client.create(model="small", files={path.name: digest}, quantize="q8_0")
    assert (refused.value.status_code, refused.value.error) == (
        500, "quantization is only supported for F16, BF16 and F32 models",
    )  # fmt: skip
    assert (await client.list()).models == []


async def test_an_adapter_makes_another_model_of_the_same_weights(
    client: ollama.AsyncClient, half: str, redis: Redis, tmp_path: Path, models_dir: Path
) -> None:
    await client.create(model="base", files={"m.gguf": half})
    adapter = await client.create_blob(llama_models.write_adapter(tmp_path / "adapter.gguf"))
    before_bytes = stored_bytes(models_dir)
    steps = await client.create(model="tuned", from_="base", adapters={"adapter.gguf": adapter}, stream=True)
    assert await told(steps) == [
        "parsing GGUF", f"using existing layer {half}", f"using existing layer {adapter}", "writing manifest",
        "success",
    ]  # fmt: skip
    assert stored_bytes(models_dir) - before_bytes < 1024
    base, tuned = await entry_of(redis, "base"), await entry_of(redis, "tuned")
    assert (tuned.weights_blob, tuned.adapters) == (half, (adapter,))
    assert tuned.weights != base.weights
    modelfile = (await client.show("tuned")).modelfile
    assert modelfile is not None
    assert f"\n# ADAPTER {adapter}\n" in modelfile


async def test_adapters_for_another_model_and_several_are_refused(
    client: ollama.AsyncClient, half: str, tmp_path: Path
) -> None:
    adapter = await client.create_blob(llama_models.write_adapter(tmp_path / "a.gguf"))
    other = await client.create_blob(llama_models.write_adapter(tmp_path / "b.gguf", architecture="gemma"))
    for adapters, text in (
        ({"a": adapter, "b": other}, "only one adapter is currently supported"),
        ({"b": other}, "the adapter is for the architecture 'gemma', the model's is 'llama'"),
        ({"m": half}, "the file given as adapter is none"),
    ):
        with pytest.raises(ollama.ResponseError) as refused:
            await client.create(model="tuned", files={"m": half}, adapters=adapters)
        assert (refused.value.status_code, refused.value.error) == (400, text)


async def test_a_projector_gives_a_model_eyes(
    client: ollama.AsyncClient, http: aiohttp.ClientSession, half: str, redis: Redis, tmp_path: Path
) -> None:
    projector = await client.create_blob(llama_models.write_projector(tmp_path / "mmproj.gguf"))
    await client.create(model="eyes", files={"mmproj.gguf": projector, "model.gguf": half})
    async with http.post("/api/show", json={"model": "eyes"}) as response:
        shown = await response.json()
    assert set(shown["capabilities"]) == {"completion", "vision"}
    assert shown["projector_info"]["clip.vision.block_count"] == 1
    assert shown["details"]["families"] == ["llama", "clip"]
    await client.create(model="blind", files={"model.gguf": half})
    await client.create(model="blind", from_="blind", files={"mmproj.gguf": projector})
    assert (await entry_of(redis, "blind")).projector == projector


async def test_a_pinned_base_is_the_one_the_listing_shows(client: ollama.AsyncClient, half: str) -> None:
    await client.create(model="base", files={"m": half})
    (listed,) = (await client.list()).models
    assert listed.digest is not None
    assert (await client.create(model="bot", from_=f"base@sha256:{listed.digest}", system="s")).status == "success"
    await client.create(model="base", from_="base", system="moved")
    with pytest.raises(ollama.ResponseError) as refused:
        await client.create(model="bot", from_=f"base@sha256:{listed.digest}")
    assert refused.value.status_code == 400
    assert listed.digest in refused.value.error


async def test_variants_of_a_base_take_the_room_of_one(
    client: ollama.AsyncClient, half: str, redis: Redis, models_dir: Path
) -> None:
    await client.create(model="base", files={"m": half})
    base_bytes = stored_bytes(models_dir)
    await client.create(model="polite", from_="base", system="Be polite.")
    await client.create(model="terse", from_="base", system="Be terse.", parameters={"num_predict": 20})
    assert stored_bytes(models_dir) - base_bytes < 2048
    assert len({(await entry_of(redis, name)).weights for name in ("base", "polite", "terse")}) == 1


async def test_what_show_prints_makes_the_same_model_again(client: ollama.AsyncClient, half: str) -> None:
    await client.create(
        model="bot",
        files={"m": half},
        template='{{ .System }}\n"{{ .Prompt }}"',
        system=" spaced\n",
        license=["MIT", 'a "quoted"\nlicence'],
        parameters={"stop": ["\n", '"'], "seed": 7_000_000, "temperature": 0.25},
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": '"hello"'}],
    )
    shown = await client.show("bot")
    assert shown.modelfile is not None
    recipe = parse(shown.modelfile)
    await client.create(
        model="again",
        from_=recipe.sources[0],
        template=recipe.template,
        system=recipe.system,
        license=list(recipe.licenses),
        parameters=recipe.parameters,
        messages=[{"role": role, "content": content} for role, content in recipe.messages],
    )
    again = await client.show("again")
    for field in ("template", "parameters", "license", "modelinfo", "capabilities"):
        assert getattr(again, field) == getattr(shown, field)
    assert again.modelfile is not None
    assert again.modelfile.replace("again", "bot") == shown.modelfile


async def test_every_other_field_is_kept_and_shown(http: aiohttp.ClientSession, half: str, redis: Redis) -> None:
    body = {
        "model": "bot", "files": {"m": half}, "renderer": "qwen3-coder", "parser": "qwen3-coder", "requires": "v0.14.0",
        "draft_files": {"d": half}, "draft_quantize": "Q8_0", "stream": False,
        "info": {"parameter_size": "0.9B", "quantization_level": "half", "capabilities": ["image"]},
    }  # fmt: skip
    async with http.post("/api/create", json=body) as response:
        assert (response.status, await response.json()) == (200, {"status": "success"})
    async with http.post("/api/show", json={"model": "bot"}, headers={"User-Agent": "GitHubCopilotChat/1"}) as response:
        shown = await response.json()
    assert shown["requires"] == "0.14.0"
    assert (shown["details"]["parameter_size"], shown["details"]["quantization_level"]) == ("0.9B", "half")
    assert set(shown["capabilities"]) == {"completion", "tools", "image"}
    assert shown["model_info"]["general.basename"] == "bot"
    lines = shown["modelfile"].splitlines()
    assert {"RENDERER qwen3-coder", "PARSER qwen3-coder", "REQUIRES 0.14.0"} <= set(lines)
    assert [line for line in lines if line.startswith("# DRAFT sha256:")]
    entry = await entry_of(redis, "bot")
    assert entry.parser == "qwen3-coder"


async def test_a_build_that_fails_on_the_way_says_so_in_the_stream(
    http: aiohttp.ClientSession, registry: TestServer, half: str, client: ollama.AsyncClient, tmp_path: Path,
    models_dir: Path,
) -> None:  # fmt: skip
    """The header is in order; what it says of the tensors is not, which llama.cpp finds out."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(fake.tiny_model(general__file_type=fake.typed("u32", 1)))
    digest = await client.create_blob(broken)
    before = blob_names(models_dir)
    body = {"model": "bot", "files": {"m": digest}, "quantize": "Q8_0"}
    async with http.post("/api/create", json=body) as response:
        lines = [json.loads(line) for line in (await response.text()).splitlines()]
    assert lines[0] == {"status": "parsing GGUF"}
    assert list(lines[-1]) == ["error"]
    assert blob_names(models_dir) == before
    async with http.post("/api/create", json={**body, "stream": False}) as response:
        assert response.status in (400, 500)
        assert await response.json() == lines[-1]
