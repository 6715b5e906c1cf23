"""An existing Ollama store works as it is, and what is done to it stays in Ollama's layout.

The layout is written and read here from its description, without the registry's own code.
"""

import hashlib
import json
from pathlib import Path

from fakes.registry_clients import RegistryClient
from fakes.small_models import SmallModel, small_model
from integration.registry.distribution.setup import StartRegistry
from shared.manifest import MediaType

PULLED = small_model({MediaType.TEMPLATE: b"{{ .Prompt }}", MediaType.PARAMS: b'{"stop":["<|eot|>"]}'})
PUSHED = small_model({MediaType.SYSTEM: b"Be brief."})


def lay_out_as_ollama(models_dir: Path, model: SmallModel, *, separator: str = "-") -> None:
    folder = models_dir / "manifests" / "registry.ollama.ai" / "library" / "llama9"
    folder.mkdir(parents=True)
    (folder / "8b").write_bytes(model.manifest)
    (models_dir / "blobs").mkdir()
    for digest, content in model.blobs.items():
        (models_dir / "blobs" / digest.replace(":", separator)).write_bytes(content)


def read_as_ollama(models_dir: Path) -> dict[str, str]:
    """The ids of the models by name, after checking all that a reader of the layout relies on."""
    found: dict[str, str] = {}
    needed: set[str] = set()
    for path in sorted(path for path in (models_dir / "manifests").rglob("*") if path.is_file()):
        host, namespace, model, tag = path.relative_to(models_dir / "manifests").parts
        content = path.read_bytes()
        manifest = json.loads(content)
        assert manifest["schemaVersion"] == 2
        for layer in (manifest["config"], *manifest["layers"]):
            blob = models_dir / "blobs" / layer["digest"].replace("sha256:", "sha256-")
            assert blob.stat().st_size == layer["size"]
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == layer["digest"].removeprefix("sha256:")
            needed.add(blob.name)
        found[f"{host}/{namespace}/{model}:{tag}"] = hashlib.sha256(content).hexdigest()
    assert {path.name for path in (models_dir / "blobs").iterdir()} == needed
    assert all(any(path.iterdir()) for path in (models_dir / "manifests").rglob("*") if path.is_dir())
    return found


async def test_a_store_that_ollama_made_is_listed_shown_and_served(
    start_registry: StartRegistry, models_dir: Path
) -> None:
    lay_out_as_ollama(models_dir, PULLED)
    before = read_as_ollama(models_dir)
    async with start_registry() as http:
        async with http.get("/api/tags") as response:
            (row,) = (await response.json())["models"]
        assert (row["name"], row["digest"]) == ("llama9:8b", hashlib.sha256(PULLED.manifest).hexdigest())
        async with http.post("/api/show", json={"model": "llama9:8b"}) as response:
            assert (await response.json())["template"] == "{{ .Prompt }}"
        await RegistryClient(http, "library/llama9").pull(PULLED, "8b")
    assert read_as_ollama(models_dir) == before


async def test_what_is_pushed_copied_and_deleted_keeps_the_layout(
    start_registry: StartRegistry, models_dir: Path
) -> None:
    lay_out_as_ollama(models_dir, PULLED)
    async with start_registry() as http:
        assert await RegistryClient(http, "team/bot").push(PUSHED, "v1") == 201
        async with http.post(
            "/api/copy", json={"source": "llama9:8b", "destination": "hub.example/x/copy"}
        ) as response:
            assert response.status == 200
        async with http.delete("/api/delete", json={"model": "llama9:8b"}) as response:
            assert response.status == 200
    assert read_as_ollama(models_dir) == {
        "hub.example/x/copy:latest": hashlib.sha256(PULLED.manifest).hexdigest(),
        "registry.ollama.ai/team/bot:v1": hashlib.sha256(PUSHED.manifest).hexdigest(),
    }


async def test_old_names_of_blobs_are_brought_up_to_date(start_registry: StartRegistry, models_dir: Path) -> None:
    lay_out_as_ollama(models_dir, PULLED, separator=":")
    async with start_registry() as http:
        await RegistryClient(http, "library/llama9").pull(PULLED, "8b")
    assert list(read_as_ollama(models_dir)) == ["registry.ollama.ai/library/llama9:8b"]
