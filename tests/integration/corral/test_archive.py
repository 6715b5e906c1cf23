"""`corral export` and `corral import`: from one real registry to another, through a file."""

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.gguf_files import tiny_model, typed
from harness.registry import running_registry

Corral = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def here(redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """A registry with two models that share their weights."""
    async with running_registry(redis_url, tmp_path / "here") as address:
        weights = tiny_model()
        digest = "sha256:" + hashlib.sha256(weights).hexdigest()
        async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
            await http.post(f"/api/blobs/{digest}", content=weights)
            await http.post("/api/create", json={"model": "base", "files": {"w.gguf": digest}, "license": "MIT"})
            await http.post("/api/create", json={"model": "team/bot:1", "from": "base", "system": "Be kind."})
        yield address


@pytest.fixture
async def there(redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty registry."""
    async with running_registry(f"{redis_url}?db=1", tmp_path / "there") as address:
        yield address


async def models(address: str) -> dict[str, str]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        return {model["name"]: model["digest"] for model in (await http.get("/api/tags")).json()["models"]}


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        found = [(member.name, tar.extractfile(member)) for member in tar]
        return {name: file.read() for name, file in found if file is not None}


def write(path: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


async def test_models_travel_in_a_file_and_arrive_with_the_same_ids(
    here: str, there: str, run_corral: Corral, tmp_path: Path
) -> None:
    file = tmp_path / "models.tar"
    code, out, err = await run_corral(here, "export", "base", "team/bot:1", str(file))
    assert (code, out) == (0, "exported 'base:latest'\nexported 'team/bot:1'\n"), err
    code, out, err = await run_corral(there, "import", str(file))
    assert (code, out) == (0, "imported 'base:latest'\nimported 'team/bot:1'\n"), err
    assert await models(there) == await models(here)
    _, _, again = await run_corral(there, "import", str(file))
    assert "sending" not in again


async def test_the_file_is_a_store_in_ollamas_layout_with_shared_blobs_once(
    here: str, run_corral: Corral, tmp_path: Path
) -> None:
    file = tmp_path / "models.tar"
    await run_corral(here, "export", "base", "team/bot:1", str(file))
    content = members(file)
    manifests = [name for name in content if name.startswith("manifests/")]
    assert manifests == ["manifests/registry.ollama.ai/library/base/latest", "manifests/registry.ollama.ai/team/bot/1"]
    blobs = {name: data for name, data in content.items() if name not in manifests}
    assert all(name == f"blobs/sha256-{hashlib.sha256(data).hexdigest()}" for name, data in blobs.items())
    assert sum(data == tiny_model() for data in blobs.values()) == 1
    assert not file.with_name("models.tar.part").exists()


async def test_an_unpacked_file_can_be_served_as_it_is(
    here: str, redis_url: str, run_corral: Corral, tmp_path: Path
) -> None:
    await run_corral(here, "export", "team/bot:1", str(tmp_path / "models.tar"))
    with tarfile.open(tmp_path / "models.tar") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    async with running_registry(f"{redis_url}?db=1", tmp_path / "unpacked") as address:
        assert await models(address) == {"team/bot:1": (await models(here))["team/bot:1"]}


async def test_a_model_that_is_absent_leaves_no_file(here: str, run_corral: Corral, tmp_path: Path) -> None:
    file = tmp_path / "models.tar"
    file.write_bytes(b"an older archive")
    code, _, err = await run_corral(here, "export", "base", "absent", str(file))
    assert (code, err.splitlines()[-1]) == (1, "Error: model 'absent:latest' not found")
    assert [path.name for path in tmp_path.glob("models*")] == ["models.tar"]
    assert file.read_bytes() == b"an older archive"


async def test_the_last_argument_must_look_like_a_file(here: str, run_corral: Corral) -> None:
    code, _, err = await run_corral(here, "export", "base", "team/bot:1")
    assert code == 1
    assert "ends in .tar" in err


async def test_a_file_that_cannot_be_written_is_named(here: str, run_corral: Corral, tmp_path: Path) -> None:
    code, _, err = await run_corral(here, "export", "base", str(tmp_path / "nowhere" / "models.tar"))
    assert code == 1
    assert "cannot write" in err


Spoil = Callable[[dict[str, bytes]], dict[str, bytes]]


def blob_of(content: dict[str, bytes], data: bytes) -> str:
    return next(name for name, each in content.items() if each == data)


def flipped(content: dict[str, bytes]) -> dict[str, bytes]:
    return {**content, blob_of(content, tiny_model()): bytes(len(tiny_model()))}


def shortened(content: dict[str, bytes]) -> dict[str, bytes]:
    return {**content, blob_of(content, tiny_model()): b"short"}


def without_weights(content: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in content.items() if data != tiny_model()}


def without_manifests(content: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in content.items() if not name.startswith("manifests/")}


def with_a_broken_manifest(content: dict[str, bytes]) -> dict[str, bytes]:
    return {**content, "manifests/registry.ollama.ai/library/x/latest": b"{}"}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (flipped, "is damaged: its bytes have the digest"),
        (shortened, "has 5 bytes in the archive and should have"),
        (without_weights, "neither the archive nor the cluster has"),
        (without_manifests, "holds no model"),
        (with_a_broken_manifest, "the manifest is not one of a model"),
        (lambda content: {**content, "../../etc/passwd": b"x"}, "no part of a model"),
    ],
)
async def test_a_spoilt_archive_brings_no_model(
    spoil: Spoil, why: str, here: str, there: str, run_corral: Corral, tmp_path: Path
) -> None:
    file = tmp_path / "models.tar"
    await run_corral(here, "export", "team/bot:1", str(file))
    write(file, spoil(members(file)))
    code, _, err = await run_corral(there, "import", str(file))
    assert code == 1
    assert why in err.splitlines()[-1]
    assert await models(there) == {}


async def test_blobs_that_are_there_need_not_be_in_the_archive(here: str, run_corral: Corral, tmp_path: Path) -> None:
    file = tmp_path / "models.tar"
    await run_corral(here, "export", "team/bot:1", str(file))
    write(file, without_weights(members(file)))
    assert (await run_corral(here, "import", str(file)))[0] == 0


async def test_a_replaced_model_is_replaced_and_others_stay(
    here: str, there: str, run_corral: Corral, tmp_path: Path
) -> None:
    async def make(address: str, **fields: Any) -> None:
        weights = tiny_model(llama__context_length=typed("u32", 1024))
        digest = "sha256:" + hashlib.sha256(weights).hexdigest()
        async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
            await http.post(f"/api/blobs/{digest}", content=weights)
            await http.post("/api/create", json={"files": {"w.gguf": digest}, **fields})

    await make(there, model="base")
    await make(there, model="own")
    own = (await models(there))["own:latest"]
    await run_corral(here, "export", "base", str(tmp_path / "models.tar"))
    await run_corral(there, "import", str(tmp_path / "models.tar"))
    assert await models(there) == {"base:latest": (await models(here))["base:latest"], "own:latest": own}
