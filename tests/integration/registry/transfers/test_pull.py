"""Pulls over real HTTP by the official client: what is fetched, what is told, what is stored."""

import json
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import ollama
import pytest

from fakes import gguf_files as fake
from harness.model_source import CONFIG, ModelSource
from services.registry.paths import StorePaths
from shared.digest import Digest, digest_of, hex_of
from shared.manifest import MediaType

WEIGHTS = fake.tiny_model() + bytes(1 << 20)  # several parts
TEMPLATE = b"{{ .Prompt }}"
LAYERS: Mapping[str, bytes] = {MediaType.MODEL: WEIGHTS, MediaType.TEMPLATE: TEMPLATE}


def pulling(content: bytes, completed: int | None = None) -> dict[str, object]:
    digest = digest_of(content)
    event = {"status": f"pulling {hex_of(digest)[:12]}", "digest": digest, "total": len(content)}
    return event if completed == 0 else {**event, "completed": len(content) if completed is None else completed}


async def pull_events(url: str, model: str, **fields: object) -> list[dict[str, object]]:
    """The lines of a pull's answer."""
    async with (
        aiohttp.ClientSession(url) as http,
        http.post("/api/pull", json={"model": model, "insecure": True, **fields}) as response,
    ):
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        return [json.loads(line) for line in (await response.text()).splitlines()]


def statuses(events: list[dict[str, object]]) -> list[object]:
    """Each status once, where it first came."""
    return list(dict.fromkeys(event["status"] for event in events))


def stored(models_dir: Path) -> dict[Digest, bytes]:
    """Every file in the blobs folder by the digest its name claims."""
    return {Digest(path.name.replace("-", ":", 1)): path.read_bytes() for path in (models_dir / "blobs").iterdir()}


async def test_a_model_is_pulled_with_ollamas_events_in_ollamas_order(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path
) -> None:
    manifest = source.add("team/tiny:v1", LAYERS)
    events = await pull_events(pulling_url, f"{host}/team/tiny:v1")
    assert statuses(events) == [
        "pulling manifest",
        pulling(WEIGHTS)["status"],
        pulling(TEMPLATE)["status"],
        pulling(CONFIG)["status"],
        "verifying sha256 digest",
        "writing manifest",
        "success",
    ]
    assert pulling(WEIGHTS, 0) in events
    assert [event for event in events if event.get("digest")][-1] == pulling(CONFIG)
    for content in (WEIGHTS, TEMPLATE, CONFIG):
        assert pulling(content) in events
    assert stored(models_dir) == {digest_of(content): content for content in (*LAYERS.values(), CONFIG)}
    assert (models_dir / "manifests" / host / "team" / "tiny" / "v1").read_bytes() == manifest
    assert source.sent_bytes[digest_of(WEIGHTS)] == len(WEIGHTS)
    assert len([one for one in source.ranges if one[0] == digest_of(WEIGHTS)]) == 5

    async with ollama.AsyncClient(pulling_url) as client:
        assert [model.model for model in (await client.list()).models] == [f"{host}/team/tiny:v1"]


async def test_what_is_here_is_not_fetched_again(pulling_url: str, host: str, source: ModelSource) -> None:
    source.add("team/tiny:v1", LAYERS)
    source.add("team/tiny:v2", {**LAYERS, MediaType.SYSTEM: b"Be brief."})
    await pull_events(pulling_url, f"{host}/team/tiny:v1")
    source.ranges.clear()
    events = await pull_events(pulling_url, f"{host}/team/tiny:v2")
    assert {digest for digest, _, _ in source.ranges} == {digest_of(b"Be brief.")}
    assert [event for event in events if event["status"] == pulling(WEIGHTS)["status"]] == [pulling(WEIGHTS)]


async def test_a_newer_version_takes_the_name_and_says_that_layers_go(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path
) -> None:
    source.add("team/tiny:v1", LAYERS)
    await pull_events(pulling_url, f"{host}/team/tiny:v1")
    newer = source.add("team/tiny:v1", {MediaType.MODEL: WEIGHTS, MediaType.TEMPLATE: b"{{ .System }}"})
    events = await pull_events(pulling_url, f"{host}/team/tiny:v1")
    assert statuses(events)[-3:] == ["writing manifest", "removing unused layers", "success"]
    assert (models_dir / "manifests" / host / "team" / "tiny" / "v1").read_bytes() == newer


async def test_a_blob_of_the_wrong_length_is_fetched_again(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path
) -> None:
    """A power cut may leave one; Ollama would take it for whole."""
    source.add("team/tiny:v1", LAYERS)
    StorePaths(models_dir).blob(digest_of(WEIGHTS)).write_bytes(WEIGHTS[:1000])
    await pull_events(pulling_url, f"{host}/team/tiny:v1")
    assert stored(models_dir)[digest_of(WEIGHTS)] == WEIGHTS


async def test_without_streaming_the_last_event_is_the_answer(pulling_url: str, host: str, source: ModelSource) -> None:
    source.add("team/tiny:v1", LAYERS)
    async with aiohttp.ClientSession(pulling_url) as http:
        body = {"name": f"{host}/team/tiny:v1", "model": "", "insecure": True, "stream": False}
        async with http.post("/api/pull", data=json.dumps(body)) as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
            assert await response.json() == {"status": "success"}
        async with http.post("/api/pull", json={**body, "name": f"{host}/team/absent"}) as response:
            assert response.status == 500
            assert await response.json() == {"error": "pull model manifest: file does not exist"}


async def test_failures_after_the_first_event_are_a_line(pulling_url: str, host: str, source: ModelSource) -> None:
    source.add("team/tiny:v1", LAYERS)
    del source.blobs[digest_of(TEMPLATE)]
    assert await pull_events(pulling_url, f"{host}/team/absent") == [
        {"status": "pulling manifest"},
        {"error": "pull model manifest: file does not exist"},
    ]
    assert (await pull_events(pulling_url, f"{host}/team/tiny:v1"))[-1] == {"error": "file does not exist"}


async def test_failures_before_the_first_event_have_their_status(pulling_url: str) -> None:
    async with aiohttp.ClientSession(pulling_url) as http:
        async with http.post("/api/pull", json={"model": "elsewhere.test/team/tiny"}) as response:
            assert response.status == 403
            assert "CORRAL_REGISTRY_UPSTREAM_HOSTS" in (await response.json())["error"]
        async with http.post("/api/pull", json={"model": "a//b"}) as response:
            assert (response.status, await response.json()) == (400, {"error": "invalid model name"})
        async with http.post("/api/push", json={"model": "absent"}) as response:
            assert (response.status, await response.json()) == (404, {"error": "model 'absent:latest' not found"})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"size": -1}, "cannot have -1 bytes"),
        ({"size": len(TEMPLATE) + 1}, f"has {len(TEMPLATE)} bytes at its registry, its manifest says"),
        ({"digest": "sha256:zz"}, "invalid digest format"),
    ],
)
async def test_a_manifest_that_lies_is_refused_and_changes_nothing(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path, change: dict[str, object], error: str
) -> None:
    manifest = json.loads(source.add("team/tiny:v1", LAYERS))
    manifest["layers"][1] |= change
    source.manifests["team/tiny:v1"] = json.dumps(manifest).encode()
    *_, last = await pull_events(pulling_url, f"{host}/team/tiny:v1")
    assert error in str(last["error"])
    assert not (models_dir / "manifests" / host).exists()


async def test_an_unknown_media_type_is_kept_and_an_empty_layer_too(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path
) -> None:
    source.add("team/tiny:v1", {**LAYERS, "application/x-unheard-of": b"", MediaType.LICENSE: TEMPLATE})
    await pull_events(pulling_url, f"{host}/team/tiny:v1")
    assert stored(models_dir)[digest_of(b"")] == b""
    assert source.sent_bytes[digest_of(TEMPLATE)] == len(TEMPLATE)


async def test_a_wrong_blob_is_fetched_again_and_in_the_end_not_published(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path
) -> None:
    source.add("team/tiny:v1", LAYERS)
    wrong = WEIGHTS[:5000] + b"!" + WEIGHTS[5001:]
    source.blobs[digest_of(WEIGHTS)] = wrong
    *_, last = await pull_events(pulling_url, f"{host}/team/tiny:v1")
    assert last == {
        "error": f"digest mismatch, file must be downloaded again: want {digest_of(WEIGHTS)}, got {digest_of(wrong)}"
    }
    assert source.sent_bytes[digest_of(WEIGHTS)] == 3 * len(WEIGHTS)
    assert not StorePaths(models_dir).blob(digest_of(WEIGHTS)).exists()


async def test_a_blob_that_is_right_the_second_time_is_published(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path
) -> None:
    """What an earlier download left may be wrong: a power cut can take data that the states claim."""
    source.add("team/tiny:v1", LAYERS)
    paths = StorePaths(models_dir)
    paths.partial(digest_of(WEIGHTS)).write_bytes(bytes(len(WEIGHTS)))
    state = {"N": 0, "Offset": 0, "Size": len(WEIGHTS), "Completed": len(WEIGHTS) - 10}
    paths.part_state(digest_of(WEIGHTS), 0).write_text(json.dumps(state))
    assert (await pull_events(pulling_url, f"{host}/team/tiny:v1"))[-1] == {"status": "success"}
    assert stored(models_dir)[digest_of(WEIGHTS)] == WEIGHTS
    assert source.sent_bytes[digest_of(WEIGHTS)] == len(WEIGHTS) + 10


async def test_what_ollama_began_is_finished(
    pulling_url: str, host: str, source: ModelSource, models_dir: Path
) -> None:
    source.add("team/tiny:v1", LAYERS)
    paths = StorePaths(models_dir)
    half = len(WEIGHTS) // 2
    paths.partial(digest_of(WEIGHTS)).write_bytes(WEIGHTS[:half] + bytes(len(WEIGHTS) - half))
    for number, offset, size, completed in ((0, 0, half, half), (1, half, len(WEIGHTS) - half, 0)):
        state = {"N": number, "Offset": offset, "Size": size, "Completed": completed}
        paths.part_state(digest_of(WEIGHTS), number).write_text(json.dumps(state) + "\n")
    await pull_events(pulling_url, f"{host}/team/tiny:v1")
    assert source.sent_bytes[digest_of(WEIGHTS)] == len(WEIGHTS) - half
    assert set(stored(models_dir)) == {digest_of(content) for content in (*LAYERS.values(), CONFIG)}
