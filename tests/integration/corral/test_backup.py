"""`corral backup` and `corral restore`: a cluster whose volumes are gone is what it was, by one file."""

import contextlib
import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from redis.asyncio import Redis

from corral.backup.seal import SEAL_BYTES
from fakes.gguf_files import tiny_model
from fakes.ollama_keys import OllamaKey
from harness.registry import running_registry
from integration.gateway.setup import serving, settings
from shared.settings import Secret

Corral = Callable[..., Awaitable[tuple[int, str, str]]]

ADMIN_KEY = "bootstrap-secret"
WEIGHTS = tiny_model()
WEIGHTS_DIGEST = "sha256:" + hashlib.sha256(WEIGHTS).hexdigest()


class Place:
    """A gateway that asks for keys, the registry behind it, and where both keep what they know."""

    def __init__(self, redis: Redis, redis_url: str, folder: Path) -> None:
        self.redis, self.redis_url, self.models = redis, redis_url, folder / "models"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Cluster"]:
        async with running_registry(self.redis_url, self.models) as registry_url:
            locked: dict[str, object] = {"require_keys": True, "admin_key": Secret(ADMIN_KEY)}
            with structlog.testing.capture_logs() as log:
                async with (
                    serving(settings(self.redis_url, registry_url=registry_url, **locked)) as url,
                    httpx.AsyncClient(base_url=url, trust_env=False) as http,
                ):
                    yield Cluster(url, http, log)

    async def lose_everything(self) -> None:
        await self.redis.flushall()
        shutil.rmtree(self.models)

    def blob(self, digest: str) -> Path:
        return self.models / "blobs" / digest.replace(":", "-")


class Cluster:
    def __init__(self, url: str, http: httpx.AsyncClient, log: list[Any]) -> None:
        self.url, self._http, self.log = url, http, log

    async def call(self, method: str, path: str, body: object = None, *, key: str = ADMIN_KEY) -> httpx.Response:
        return await self._http.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})

    async def new_key(self, **fields: object) -> dict[str, Any]:
        return _json(await self.call("POST", "/api/keys", fields))

    async def keys(self) -> list[Any]:
        found: list[Any] = _json(await self.call("GET", "/api/keys"))["keys"]
        return found

    async def make_models(self) -> None:
        """`base`, and `team/bot:1` that shares its weights."""
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        await self._http.post(f"/api/blobs/{WEIGHTS_DIGEST}", content=WEIGHTS, headers=headers)
        await self.make(model="base", files={"w.gguf": WEIGHTS_DIGEST}, license="MIT")
        await self.make(model="team/bot:1", **{"from": "base", "system": "Be kind."})

    async def make(self, **fields: object) -> None:
        assert "success" in (await self.call("POST", "/api/create", fields)).text

    async def models(self) -> dict[str, str]:
        return {model["name"]: model["digest"] for model in _json(await self.call("GET", "/api/tags"))["models"]}


def _json(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


@pytest.fixture
def place(redis: Redis, redis_url: str, tmp_path: Path) -> Place:
    return Place(redis, redis_url, tmp_path)


@pytest.fixture
def corral(run_corral: Corral, monkeypatch: pytest.MonkeyPatch) -> Corral:
    """The command line of somebody with the key from the settings."""
    monkeypatch.setenv("CORRAL_API_KEY", ADMIN_KEY)
    return run_corral


async def test_after_the_loss_of_everything_one_file_brings_back_keys_and_models(
    place: Place, corral: Corral, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    laptop = OllamaKey()
    async with place.running() as cluster:
        ann = await cluster.new_key(name="ann")
        chief = await cluster.new_key(name="chief", role="admin", summarize=True)
        await cluster.new_key(name="laptop", ssh_public_key=laptop.public_line)
        await cluster.make_models()
        keys, models = await cluster.keys(), await cluster.models()
        code, out, err = await corral(cluster.url, "backup", str(file), "--blobs")
        assert (code, out.split(" of ")[0].rsplit(", ", 1)[0]) == (0, "backed up 3 keys, 2 models"), err
        (event,) = [entry for entry in cluster.log if entry["event"] == "keys_exported"]
        assert (event["user"], event["count"]) == ("admin", 3)
    await place.lose_everything()
    async with place.running() as cluster:
        assert (await cluster.keys(), await cluster.models()) == ([], {})
        assert (await cluster.call("GET", "/api/tags", key=ann["key"])).status_code == 401
        code, out, err = await corral(cluster.url, "restore", str(file))
        assert code == 0, err
        assert sum(line.startswith("added key ") for line in out.splitlines()) == 3
        assert out.splitlines()[3:] == ["added model 'base:latest'", "added model 'team/bot:1'"]
        assert (await cluster.keys(), await cluster.models()) == (keys, models)
        (event,) = [entry for entry in cluster.log if entry["event"] == "keys_restored"]
        assert (event["user"], event["added_count"], event["kept_count"]) == ("admin", 3, 0)
        assert (await cluster.call("GET", "/api/tags", key=ann["key"])).status_code == 200
        assert (await cluster.call("GET", "/api/keys", key=ann["key"])).status_code == 403
        assert (await cluster.call("GET", "/api/keys", key=chief["key"])).status_code == 200
        assert _json(await cluster.call("POST", "/api/show", {"model": "team/bot:1"}))["system"] == "Be kind."
    assert place.blob(WEIGHTS_DIGEST).read_bytes() == WEIGHTS


async def test_without_weights_a_model_waits_for_them_and_nobody_sees_it(
    place: Place, corral: Corral, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    async with place.running() as cluster:
        await cluster.make_models()
        models = await cluster.models()
        assert (await corral(cluster.url, "backup", str(file)))[0] == 0
    await place.lose_everything()
    async with place.running() as cluster:
        code, out, err = await corral(cluster.url, "restore", str(file))
        assert code == 1
        assert out.count("left out model ") == 2
        assert "2 models left out for want of parts" in err
        assert err.splitlines()[-1] == "  corral pull base:latest", "the model that both were made from, once"
        assert await cluster.models() == {}
        assert list((place.models / "blobs").iterdir()) == [], "there is nothing for a collection to take away"
        # What brings the weights back: here another model that has them.
        await cluster.make_models()
        await cluster.call("DELETE", "/api/delete", {"model": "team/bot:1"})
        code, out, err = await corral(cluster.url, "restore", str(file))
        assert (code, out) == (0, "model 'base:latest' is there already\nadded model 'team/bot:1'\n"), err
        assert await cluster.models() == models


async def test_what_is_there_and_differs_is_kept_unless_it_is_to_be_replaced(
    place: Place, corral: Corral, tmp_path: Path, redis: Redis
) -> None:
    file = str(tmp_path / "backup.tar")
    async with place.running() as cluster:
        made = await cluster.new_key(name="ann")
        await cluster.make_models()
        models = await cluster.models()
        assert (await corral(cluster.url, "backup", file))[0] == 0
        saved = _json(await cluster.call("GET", "/api/backup/keys"))["keys"]
        changed = {credential: {**record, "weight": 3.0} for credential, record in saved.items()}
        await cluster.call("POST", "/api/restore/keys", {"keys": changed, "replace": True})
        await cluster.make(model="team/bot:1", **{"from": "base", "system": "Be brief."})
        newer = await cluster.models()
        code, out, _ = await corral(cluster.url, "restore", file)
        assert code == 0
        assert out.splitlines() == [
            f"kept key {made['id']} 'ann', which differs from the backup's; --replace would overwrite it",
            "model 'base:latest' is there already",
            "kept model 'team/bot:1', which differs from the backup's; --replace would overwrite it",
        ]
        assert _json(await cluster.call("GET", "/api/backup/keys"))["keys"] == changed
        assert await cluster.models() == newer
        code, out, _ = await corral(cluster.url, "restore", file, "--replace")
        assert code == 0
        assert f"replaced key {made['id']} 'ann'" in out
        assert "replaced model 'team/bot:1'" in out
        assert _json(await cluster.call("GET", "/api/backup/keys"))["keys"] == saved
        assert await cluster.models() == models


async def test_a_backup_is_for_its_owners_eyes_and_ordinary_tools_read_it(
    place: Place, corral: Corral, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    file.write_bytes(b"an older backup")
    async with place.running() as cluster:
        made = await cluster.new_key(name="ann")
        await cluster.make_models()
        await corral(cluster.url, "backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert made["key"].encode() not in content
    assert WEIGHTS not in content
    with tarfile.open(file) as tar:
        names = tar.getnames()
        told = tar.extractfile("corral-backup.sha256")
        assert told is not None
        assert told.read().decode().strip() == hashlib.sha256(content[:-SEAL_BYTES]).hexdigest()
    assert names[:2] == ["corral-backup.json", "keys.json"]
    assert names[-1] == "corral-backup.sha256"
    assert sum(name.startswith("manifests/") for name in names) == 2
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.tar"]


async def test_a_backup_passes_through_pipes(place: Place, corral: Corral, tmp_path: Path) -> None:
    async with place.running() as cluster:
        await cluster.new_key(name="ann")
        await cluster.make_models()
        environ = {**os.environ, "CORRAL_HOST": cluster.url, "CORRAL_API_KEY": ADMIN_KEY}
        arguments = (sys.executable, "-m", "corral", "backup", "-", "--blobs")
        process = await create_subprocess_exec(*arguments, env=environ, stdout=PIPE, stderr=PIPE)
        piped, err = await process.communicate()
        assert process.returncode == 0, err
        assert b"backed up 1 key, 2 models" in err
        models = await cluster.models()
    await place.lose_everything()
    async with place.running() as cluster:
        code, out, _ = await corral(cluster.url, "restore", "-", piped=piped[:-1])
        assert (code, out) == (1, "")
        assert await cluster.keys() == []
        assert (await corral(cluster.url, "restore", "-", piped=piped))[0] == 0
        assert await cluster.models() == models


async def test_a_place_without_room_is_named(place: Place, corral: Corral, tmp_path: Path) -> None:
    async with place.running() as cluster:
        code, _, err = await corral(cluster.url, "backup", str(tmp_path / "nowhere" / "backup.tar"))
        assert code == 1
        assert f"cannot write {tmp_path}/nowhere/backup.tar" in err
        environ = {**os.environ, "CORRAL_HOST": cluster.url, "CORRAL_API_KEY": ADMIN_KEY}
        arguments = ("sh", "-c", 'exec "$0" -m corral backup - > /dev/full', sys.executable)
        process = await create_subprocess_exec(*arguments, env=environ, stderr=PIPE)
        _, said = await process.communicate()
        assert process.returncode == 1
        assert said.decode().splitlines()[-1] == "Error: cannot write to stdout: No space left on device"


async def test_checking_a_backup_needs_no_cluster(place: Place, corral: Corral, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    async with place.running() as cluster:
        await cluster.make_models()
        await corral(cluster.url, "backup", str(file))
    code, out, err = await corral("http://127.0.0.1:9", "restore", "--check", str(file))
    assert code == 0, err
    assert out.startswith("the backup is whole: 0 keys, 2 models, ")
    assert "left out" in out
    file.write_bytes(file.read_bytes()[:-1])
    code, out, err = await corral("http://127.0.0.1:9", "restore", "--check", str(file))
    assert (code, out) == (1, "")
    assert "damaged or cut off" in err


async def test_a_model_that_lost_a_part_is_left_out_and_named_and_comes_back_from_an_older_backup(
    place: Place, corral: Corral, tmp_path: Path
) -> None:
    whole, partial = tmp_path / "whole.tar", tmp_path / "partial.tar"
    async with place.running() as cluster:
        await cluster.make_models()
        await corral(cluster.url, "backup", str(whole), "--blobs")
        place.blob(WEIGHTS_DIGEST).unlink()
        code, out, err = await corral(cluster.url, "backup", str(partial), "--blobs")
        assert code == 1
        assert out.startswith("backed up 0 keys, 0 models")
        assert "has lost parts: base:latest" in err
        assert (await corral("http://127.0.0.1:9", "restore", "--check", str(partial)))[0] == 0
        code, out, err = await corral(cluster.url, "restore", str(whole))
        assert (code, out) == (0, "replaced model 'base:latest'\nmodel 'team/bot:1' is there already\n"), err
    assert place.blob(WEIGHTS_DIGEST).read_bytes() == WEIGHTS


async def test_only_admins_back_up_and_restore(
    place: Place, run_corral: Corral, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.running() as cluster:
        ann = await cluster.new_key(name="ann")
        monkeypatch.setenv("CORRAL_API_KEY", ann["key"])
        code, _, err = await run_corral(cluster.url, "backup", str(tmp_path / "backup.tar"))
        assert code == 1
        assert "role admin" in err
        assert not (tmp_path / "backup.tar").exists()
        reply = await cluster.call("POST", "/api/restore/keys", {"keys": {}}, key=ann["key"])
        assert reply.status_code == 403


def sealed(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A backup's file with these members, as somebody makes it who knows the format."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        seal = tarfile.TarInfo("corral-backup.sha256")
        seal.size = 65
        body = out.getvalue() + seal.tobuf()
    return body + f"{hashlib.sha256(body).hexdigest()}\n".encode().ljust(SEAL_BYTES, b"\0")


def members_of(file: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(file) as tar:
        found = [(member, tar.extractfile(member)) for member in tar if member.name != "corral-backup.sha256"]
        return [(member, content.read()) for member, content in found if content is not None]


def link(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ((tarfile.TarInfo("../../etc/passwd"), b"x"), "no part of a model"),
        ((link("blobs/sha256-" + "a" * 64), b""), "not an ordinary file"),
        ((tarfile.TarInfo("keys.json"), b"{}"), "twice"),
        ((tarfile.TarInfo("blobs/sha256-" + "a" * 64), b"evil"), "it has other bytes for sha256:aaaa"),
        ((tarfile.TarInfo("blobs/sha256-" + hashlib.sha256(b"x").hexdigest()), b"x"), "does not hold what"),
        ((tarfile.TarInfo("manifests/registry.ollama.ai/library/x/y"), b"{}"), "not one of a model"),
    ],
)
async def test_a_hostile_file_changes_nothing(
    extra: tuple[tarfile.TarInfo, bytes], why: str, place: Place, corral: Corral, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    async with place.running() as cluster:
        await cluster.new_key(name="ann")
        await cluster.make_models()
        await corral(cluster.url, "backup", str(file), "--blobs")
    await place.lose_everything()
    honest = members_of(file)
    async with place.running() as cluster:
        file.write_bytes(sealed([*honest, extra]))
        code, out, err = await corral(cluster.url, "restore", str(file))
        assert (code, out) == (1, "")
        assert why in err
        assert (await cluster.keys(), await cluster.models()) == ([], {})
        file.write_bytes(sealed(honest))
        assert (await corral(cluster.url, "restore", str(file)))[0] == 0, "without what was added it is a backup"
