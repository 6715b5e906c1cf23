"""Manifests lie where Ollama puts them and never name a blob that is not there."""

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.registry.blob_store import BlobStore
from services.registry.manifest_store import ManifestStore, encode_manifest, existing_spelling
from shared.digest import digest_of
from shared.errors import InternalError, ModelFileInvalid, ModelUnknown
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_name import ModelName, parse_model_name

NAME = parse_model_name("team/Bot:V1")


async def manifest(blobs: BlobStore, weights: bytes = b"weights") -> bytes:
    config, _ = await blobs.commit_bytes(b"{}")
    model, _ = await blobs.commit_bytes(weights)
    return encode_manifest(
        Manifest(
            config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=config, size=2),
            layers=(Layer(media_type=MediaType.MODEL, digest=model, size=len(weights), from_="base:latest"),),
        )
    )


async def test_a_manifest_is_written_in_ollamas_form_and_place(
    manifests: ManifestStore, blobs: BlobStore, tmp_path: Path
) -> None:
    manifests.write(NAME, await manifest(blobs))
    content = (tmp_path / "manifests/registry.ollama.ai/team/Bot/V1").read_text()
    assert content == (
        '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
        f'"config":{{"mediaType":"{CONFIG_MEDIA_TYPE}","digest":"{digest_of(b"{}")}","size":2}},'
        f'"layers":[{{"mediaType":"{MediaType.MODEL}","digest":"{digest_of(b"weights")}","size":7,'
        '"from":"base:latest"}]}\n'
    )
    stored = manifests.read(NAME)
    assert stored.digest == digest_of(content.encode()).removeprefix("sha256:")
    assert stored.references == {digest_of(b"{}"), digest_of(b"weights")}
    assert stored.manifest.size_bytes == 9


async def test_a_manifest_that_names_a_missing_blob_is_not_written(manifests: ManifestStore, blobs: BlobStore) -> None:
    content = await manifest(blobs)
    blobs.delete(digest_of(b"weights"))
    with pytest.raises(InternalError):
        manifests.write(NAME, content)
    with pytest.raises(ModelUnknown):
        manifests.read(NAME)


async def test_copy_keeps_the_bytes_and_delete_leaves_no_empty_folders(
    manifests: ManifestStore, blobs: BlobStore, tmp_path: Path
) -> None:
    copy = parse_model_name("hub.example:5000/other/copy:x")
    manifests.write(NAME, await manifest(blobs))
    manifests.copy(NAME, copy)
    assert manifests.read(copy).digest == manifests.read(NAME).digest
    manifests.delete(NAME)
    assert sorted(path.name for path in (tmp_path / "manifests").iterdir()) == ["hub.example:5000"]
    manifests.delete(copy)
    assert list((tmp_path / "manifests").iterdir()) == []
    with pytest.raises(ModelUnknown):
        manifests.delete(copy)


async def test_a_scan_passes_over_what_is_no_manifest(
    manifests: ManifestStore, blobs: BlobStore, tmp_path: Path
) -> None:
    manifests.write(NAME, await manifest(blobs))
    folder = tmp_path / "manifests/registry.ollama.ai/team/Bot"
    (folder / ".DS_Store").write_bytes(b"junk")
    (folder / "broken").write_bytes(b'{"layers":')
    (tmp_path / "manifests/stray").write_bytes(b"junk")
    with capture_logs() as logged:
        scan = manifests.scan()
    assert [stored.name for stored in scan.manifests] == [NAME]
    assert scan.corrupt_count == 1
    assert [entry["event"] for entry in logged] == ["manifest_skipped"]


async def test_a_scan_survives_models_that_come_and_go(manifests: ManifestStore, blobs: BlobStore) -> None:
    content = await manifest(blobs)
    manifests.write(parse_model_name("kept"), content)
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            manifests.write(NAME, content)
            manifests.delete(NAME)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(200):
            scan = manifests.scan()
            assert scan.corrupt_count == 0
            assert "kept" in {stored.name.model for stored in scan.manifests}
    finally:
        done.set()
        changing.join()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"config":{"mediaType":"","digest":"sha256:1","size":1}}'])
async def test_a_corrupt_manifest_is_refused(manifests: ManifestStore, content: bytes) -> None:
    with pytest.raises(ModelFileInvalid):
        manifests.write(NAME, content)


async def test_digests_written_with_a_dash_name_the_same_blobs(manifests: ManifestStore, blobs: BlobStore) -> None:
    content = (await manifest(blobs)).replace(b"sha256:", b"sha256-")
    manifests.write(NAME, content)
    assert manifests.read(NAME).references == {digest_of(b"{}"), digest_of(b"weights")}


async def test_the_fingerprint_tells_every_change(manifests: ManifestStore, blobs: BlobStore) -> None:
    empty = manifests.fingerprint()
    manifests.write(NAME, await manifest(blobs))
    written = manifests.fingerprint()
    manifests.write(NAME, await manifest(blobs, b"other weights"))
    assert len({empty, written, manifests.fingerprint()}) == 3


def name(text: str) -> ModelName:
    return parse_model_name(text)


def test_names_are_found_whatever_their_letter_case() -> None:
    stored = [name("Team/Bot:V1"), name("llama3")]
    assert existing_spelling(name("TEAM/bot:v1"), stored) == name("Team/Bot:V1")
    assert existing_spelling(name("LLAMA3:Latest"), stored) == name("llama3:latest")


def test_a_new_name_takes_over_the_spelling_of_each_known_part() -> None:
    assert existing_spelling(name("team/BOT:new"), [name("Team/Bot:V1")]) == name("Team/Bot:new")
    assert existing_spelling(name("a/b:c"), [name("Team/Bot:V1")]) == name("a/b:c")


def test_an_exact_name_wins_over_one_that_differs_in_case() -> None:
    stored = [name("bot"), name("Bot")]
    assert existing_spelling(name("Bot"), stored) == name("Bot")
    assert existing_spelling(name("bot"), stored) == name("bot")
