"""The official Python client manages models, the real SmolLM2 among them."""

from collections.abc import AsyncIterator
from pathlib import Path

import ollama
import pytest
from redis.asyncio import Redis

from fakes import gguf_files as fake
from shared.digest import digest_of
from shared.model_index import ModelIndex
from shared.model_name import parse_model_name


@pytest.fixture
async def tiny(client: ollama.AsyncClient, tmp_path: Path) -> str:
    """The digest of an uploaded tiny model."""
    path = tmp_path / "tiny.gguf"
    path.write_bytes(fake.tiny_model())
    return await client.create_blob(path)


def blob_names(models_dir: Path) -> set[str]:
    return {path.name.replace("-", ":", 1) for path in (models_dir / "blobs").iterdir()}


def stored_bytes(models_dir: Path) -> int:
    return sum(path.stat().st_size for path in (models_dir / "blobs").iterdir())


async def statuses(steps: AsyncIterator[ollama.ProgressResponse]) -> list[str | None]:
    return [step.status async for step in steps]


async def test_the_real_model_is_created_listed_shown_copied_and_deleted(
    client: ollama.AsyncClient, redis: Redis, models_dir: Path
) -> None:
    path = fake.real_model()
    digest = await client.create_blob(path)
    assert await statuses(
        await client.create(model="SmolLM2", files={path.name: digest}, system="Be brief.", stream=True)
    ) == [
        "parsing GGUF",
        f"using existing layer {digest}",
        f"creating new layer {digest_of(b'Be brief.')}",
        "writing manifest",
        "success",
    ]

    (model,) = (await client.list()).models
    assert (model.model, model.size) == ("SmolLM2:latest", stored_bytes(models_dir))
    assert model.digest is not None
    assert len(model.digest) == 64
    assert model.modified_at is not None
    assert model.modified_at.tzinfo is not None
    assert model.details is not None
    assert (model.details.parameter_size, model.details.quantization_level) == ("134.52M", "Q4_1")

    shown = await client.show("smollm2:LATEST")
    assert shown.modelinfo is not None
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["general.parameter_count"] == 134_515_008
    assert shown.modelinfo["tokenizer.ggml.tokens"] is None
    assert "tokenizer.chat_template" not in shown.modelinfo
    assert shown.capabilities == ["completion"]
    assert shown.template is not None
    assert "<|im_start|>" in shown.template
    assert shown.modelfile is not None
    assert "\nFROM SmolLM2:latest\n" in shown.modelfile
    assert "\nSYSTEM Be brief.\n" in shown.modelfile

    entry = await ModelIndex(redis).find(parse_model_name("smollm2"))
    assert entry is not None
    assert (entry.weights, entry.weights_bytes, entry.kv_bytes_per_token) == (digest, path.stat().st_size, 23_040)
    assert (entry.system, entry.template, entry.capabilities) == ("Be brief.", None, ("completion",))

    assert (await client.copy("smollm2", "team/copy:1")).status == "success"
    assert {model.model for model in (await client.list()).models} == {"SmolLM2:latest", "team/copy:1"}
    assert (await client.delete("smollm2")).status == "success"
    assert digest in blob_names(models_dir)
    assert (await client.delete("team/copy:1")).status == "success"
    assert blob_names(models_dir) == set()
    assert (await client.list()).models == []
    assert await ModelIndex(redis).all() == []


async def test_a_model_is_derived_from_another(client: ollama.AsyncClient, tiny: str, models_dir: Path) -> None:
    await client.create(
        model="base", files={"tiny.gguf": tiny}, system="old", license="MIT", parameters={"seed": 1, "top_k": 5}
    )
    reply = await client.create(
        model="derived",
        from_="BASE",
        template="{{ .System }}{{ .Prompt }}",
        license=["BSD"],
        parameters={"top_k": 7, "stop": ["</s>"]},
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
    )
    assert reply.status == "success"
    shown = await client.show("derived")
    assert shown.license == "MIT\nBSD"
    assert shown.template == "{{ .System }}{{ .Prompt }}"
    assert shown.parameters is not None
    assert [line.split() for line in shown.parameters.splitlines()] == [
        ["seed", "1"], ["stop", '"</s>"'], ["top_k", "7"],
    ]  # fmt: skip
    assert shown.details is not None
    assert shown.details.parent_model == "base:latest"
    await client.delete("base")
    assert (await client.show("derived")).license == "MIT\nBSD"


async def test_overwriting_a_model_leaves_what_it_needed_to_the_collection(
    client: ollama.AsyncClient, tiny: str, models_dir: Path
) -> None:
    await client.create(model="bot", files={"t": tiny}, system="one")
    await client.create(model="other", files={"t": tiny}, system="shared")
    await client.create(model="BOT", files={"t": tiny}, system="shared")
    assert [model.model for model in (await client.list()).models] == ["bot:latest", "other:latest"]
    assert {tiny, digest_of(b"shared"), digest_of(b"one")} <= blob_names(models_dir)


async def test_an_uploaded_blob_survives_the_deletion_of_other_models(
    client: ollama.AsyncClient, tiny: str, tmp_path: Path, models_dir: Path
) -> None:
    waiting = tmp_path / "waiting.gguf"
    waiting.write_bytes(fake.tiny_model(general__name=fake.string("another")))
    digest = await client.create_blob(waiting)
    await client.create(model="bot", files={"t": tiny})
    await client.delete("bot")
    assert blob_names(models_dir) == {digest}
    assert (await client.create(model="later", files={"w.gguf": digest})).status == "success"


@pytest.mark.parametrize(
    ("call", "status", "text"),
    [
        (lambda client: client.show("../x"), 400, "invalid model name"),
        (lambda client: client.show("nobody/has"), 404, "model 'nobody/has:latest' not found"),
        (lambda client: client.delete("nobody"), 404, "model 'nobody' not found"),
        (lambda client: client.delete("../x"), 400, 'name "../x" is invalid'),
        (lambda client: client.copy("nobody", "b"), 404, 'model "nobody" not found'),
        (lambda client: client.copy("a", "../../b"), 400, 'destination "../../b" is invalid'),
        (lambda client: client.create(model="../x", from_="b"), 400, "invalid model name"),
        (lambda client: client.create(model="m"), 400, "neither 'from' or 'files' was specified"),
        (
            lambda client: client.create(model="m", from_="nobody"),
            403,
            '"registry.ollama.ai" is not among the registries this one may use (CORRAL_REGISTRY_UPSTREAM_HOSTS)',
        ),
        (
            lambda client: client.create(model="m", files={"x": "sha256:" + "0" * 64}),
            500,
            f"open sha256-{'0' * 64}: no such file or directory",
        ),
    ],
)
async def test_failures_have_ollamas_status_and_text(
    client: ollama.AsyncClient, call: object, status: int, text: str
) -> None:
    assert callable(call)
    with pytest.raises(ollama.ResponseError) as caught:
        await call(client)
    assert (caught.value.status_code, caught.value.error) == (status, text)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("m.gguf", b"not a model", "supplied file was not in GGUF format"),
        ("m.bin", b"not a model", "unknown type"),
        (
            "m.gguf",
            fake.tiny_model()[:300],
            "invalid GGUF file: the file ends within a metadata key",
        ),
    ],
)
async def test_a_broken_file_is_refused_and_the_model_stays_as_it_was(
    client: ollama.AsyncClient, tiny: str, tmp_path: Path, name: str, content: bytes, text: str
) -> None:
    await client.create(model="bot", files={"t": tiny}, system="kept")
    broken = tmp_path / "broken"
    broken.write_bytes(content)
    digest = await client.create_blob(broken)
    with pytest.raises(ollama.ResponseError) as caught:
        await client.create(model="bot", files={name: digest})
    assert (caught.value.status_code, caught.value.error) == (400, text)
    modelfile = (await client.show("bot")).modelfile
    assert modelfile is not None
    assert "SYSTEM kept\n" in modelfile
