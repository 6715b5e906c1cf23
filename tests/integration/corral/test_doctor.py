"""`corral doctor` against a real gateway, Valkey and nginx, each well or wrong in one way."""

import asyncio
import contextlib
import datetime as dt
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis
from structlog.testing import capture_logs

from corral.commands.doctor import UNREACHED
from fakes.model_entries import WEIGHTS
from fakes.worker import Play, ScriptedWorker, Stage
from harness.certificates import Authority, write_self_signed
from harness.cluster import free_port
from harness.redis_server import running_redis
from integration.gateway.registry_setup import ADMIN_KEY
from integration.gateway.setup import TINY, listening, serving, settings
from integration.nginx.front_door import FrontDoor
from shared import redis_client
from shared.errors import InternalError
from shared.model_index import ModelIndex
from shared.settings import Secret
from shared.version import CORRAL_VERSION

RunCorral = Callable[..., Awaitable[tuple[int, str, str]]]
Told = dict[str, dict[str, str]]
DAYS = dt.timedelta(days=1)
PIECES = 8
PIECE_S = 0.06


async def count(stage: Stage) -> None:
    """An answer that takes its time, as a model's does."""
    await stage.start()
    began_ns = time.monotonic_ns()
    for number in range(PIECES):
        await stage.say(f" {number}")
        await asyncio.sleep(PIECE_S)
    await stage.finish(decode_ns=time.monotonic_ns() - began_ns)


async def hurry(stage: Stage) -> None:
    """An answer that is over before anybody could tell whether it came in pieces."""
    await stage.start()
    await stage.say("1", "2")
    await stage.finish()


async def fail(stage: Stage) -> None:
    await stage.start()
    await stage.fail(InternalError("it fell over"))


def registry() -> web.Application:
    """What a registry says of itself and of the one model it has."""

    async def status(_request: web.Request) -> web.Response:
        disk = {"free_bytes": 50 << 30, "total_bytes": 100 << 30}
        state = {"version": CORRAL_VERSION, "problem": "", "store_bytes": 5, "store_bytes_max": 0, "disk": disk}
        return web.json_response(state)

    async def tags(_request: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": "tiny:latest", "size": 100, "capabilities": ["completion"]}]})

    app = web.Application()
    app.router.add_get("/internal/status", status)
    app.router.add_get("/api/tags", tags)
    return app


class Door(FrontDoor):
    """The deployment's nginx with a certificate, and with changes to its files, of a test's choice."""

    def __init__(self, folder: Path, write: Callable[[Path], None], **changes: tuple[str, str]) -> None:
        super().__init__(folder)
        self._write_certificate = write
        self._changes = changes

    def renew_certificate(self) -> None:
        self._write_certificate(self.certificate)
        (self.certificate.parent / "key.pem").write_bytes(self.certificate.read_bytes())

    def _write(self, **variables: str) -> None:
        super()._write(**variables)
        for name, (old, new) in self._changes.items():
            file = self.certificate.parent.parent / "corral" / f"{name}.conf"
            text = file.read_text(encoding="utf-8")
            assert old in text
            file.write_text(text.replace(old, new), encoding="utf-8")


class Doctor:
    """Runs the command; gives its exit status and the finding of every check."""

    def __init__(self, run: RunCorral) -> None:
        self._run = run

    async def look(self, url: str, *arguments: str) -> tuple[int, Told]:
        code, out, err = await self._run(url, "doctor", "--json", *arguments)
        assert out, err
        return code, {one["check"]: one for one in json.loads(out)["findings"]}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The gateway is in this process, and its log would be among what the command prints."""
    with capture_logs():
        yield


@pytest.fixture
def doctor(run_corral: RunCorral, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.setenv("CORRAL_API_KEY", ADMIN_KEY)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Doctor(run_corral)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this machine trusts."""
    made = Authority(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@pytest.fixture
def certified(authority: Authority) -> Callable[[Path], None]:
    return lambda path: authority.write(path, lasts=89.5 * DAYS)


@contextlib.asynccontextmanager
async def cluster(redis_url: str, *, play: Play = count, **changes: Any) -> AsyncIterator[str]:
    """A gateway that asks for keys, with a registry and a worker that plays `play`."""
    redis = redis_client.connect(redis_url)
    await ModelIndex(redis).publish([TINY])
    locked: dict[str, Any] = {"require_keys": True, "admin_key": Secret(ADMIN_KEY)}
    try:
        async with (
            listening(registry()) as registry_url,
            ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running(),
            serving(settings(redis_url, **{**locked, "registry_url": registry_url, **changes})) as url,
        ):
            yield url
    finally:
        await redis.aclose()


@contextlib.asynccontextmanager
async def front_door(folder: Path, write: Callable[[Path], None], gateway: str, **changes: Any) -> AsyncIterator[Door]:
    (folder / "nginx").mkdir()
    door = Door(folder / "nginx", write, **changes)
    async with door.running(EDGE_GATEWAY=gateway.removeprefix("http://")):
        yield door


def of_level(told: Told, *levels: str) -> set[str]:
    return {name for name, finding in told.items() if finding["level"] in levels}


async def test_a_deployment_that_is_well_has_no_problem(
    doctor: Doctor, certified: Callable[[Path], None], tmp_path: Path
) -> None:
    async with running_redis(tmp_path, "--requirepass", "secret", "--appendonly", "yes") as server:
        own = f"redis://:secret@127.0.0.1:{server.port}/0"
        async with cluster(own) as gateway, front_door(tmp_path, certified, gateway) as door:
            code, told = await doctor.look(door.url, "--http-port", str(door.http_port))
    assert code == 0
    # The scripted worker says nothing of its version, its clock and its disk, and nobody makes smoke generations.
    assert of_level(told, "warning") == {"Versions"}
    assert of_level(told, "skipped") == {"Smoke", "Worker caches"}
    assert told["TLS certificate"]["what"] == "valid 89 more days"
    assert "refused" in told["TLS protocol"]["what"]
    assert told["HTTP to HTTPS"]["what"].endswith(f"leads to {door.url}")
    assert "pieces of tiny:latest came over" in told["Streaming"]["what"]
    assert told["Redis password"]["what"] == "required"


async def test_a_proxy_that_holds_answers_back_is_found(
    doctor: Doctor, certified: Callable[[Path], None], redis_url: str, tmp_path: Path
) -> None:
    buffering = {"proxy": ("proxy_buffering off", "proxy_buffering on")}
    async with cluster(redis_url) as gateway, front_door(tmp_path, certified, gateway, **buffering) as door:
        code, told = await doctor.look(door.url)
    assert (code, told["Streaming"]["level"]) == (1, "problem")
    assert told["Streaming"]["what"].startswith("answers are held back on the way")


async def test_of_a_model_that_is_too_fast_nothing_is_claimed(doctor: Doctor, redis_url: str) -> None:
    asked: list[int | None] = []

    async def note(stage: Stage) -> None:
        asked.append(stage.request.options.num_predict)
        await hurry(stage)

    async with cluster(redis_url, play=note) as gateway:
        _, told = await doctor.look(gateway)
    assert (told["Streaming"]["level"], "too fast to tell" in told["Streaming"]["what"]) == ("skipped", True)
    assert asked == [24, 192], "it is asked again, for more"


async def test_a_model_that_fails_is_a_problem_with_its_words(doctor: Doctor, redis_url: str) -> None:
    async with cluster(redis_url, play=fail) as gateway:
        _, told = await doctor.look(gateway)
    assert told["Streaming"]["level"] == "problem"
    assert "it fell over" in told["Streaming"]["what"]


async def test_tls_that_is_too_old_is_found(
    doctor: Doctor, certified: Callable[[Path], None], redis_url: str, tmp_path: Path
) -> None:
    old = {
        "tls": (
            "ssl_protocols TLSv1.2 TLSv1.3;\nssl_ciphers ",
            "ssl_protocols TLSv1.1 TLSv1.2;\nssl_ciphers ALL:@SECLEVEL=0:",
        )
    }
    async with front_door(tmp_path, certified, "127.0.0.1:9", **old) as door:
        code, told = await doctor.look(door.url)
    assert (code, told["TLS protocol"]["what"]) == (1, "TLS 1.1 is accepted")


def expired(authority: Authority, path: Path) -> None:
    authority.write(path, lasts=-1 * DAYS)


def of_another_name(authority: Authority, path: Path) -> None:
    authority.write(path, hosts=("other.example",), lasts=89 * DAYS)


def signed_by_itself(_authority: Authority, path: Path) -> None:
    write_self_signed(path)


def of_a_stranger(_authority: Authority, path: Path) -> None:
    Authority(path.with_name("stranger.pem")).write(path, lasts=89 * DAYS)


@pytest.mark.parametrize(
    ("write", "what"),
    [
        (expired, "it has expired"),
        (of_another_name, "it is for other.example, not for localhost"),
        (signed_by_itself, "it is signed by itself: clients refuse it"),
        (of_a_stranger, "it is signed by an authority that this machine does not know: clients refuse it"),
    ],
)
async def test_a_certificate_that_clients_refuse_is_explained_and_no_key_is_sent(
    doctor: Doctor, authority: Authority, tmp_path: Path, write: Callable[[Authority, Path], None], what: str
) -> None:
    async with front_door(tmp_path, lambda path: write(authority, path), "127.0.0.1:9") as door:
        code, told = await doctor.look(door.url)
        assert door.access_log() == []
    assert (code, told["TLS certificate"]["what"]) == (1, what)
    assert of_level(told, "ok") == {"TLS protocol"}
    assert of_level(told, "skipped") == set(told) - {"TLS certificate", "TLS protocol"}


async def test_a_certificate_that_ends_soon_is_a_warning(
    doctor: Doctor, authority: Authority, redis_url: str, tmp_path: Path
) -> None:
    async with front_door(tmp_path, lambda path: authority.write(path, lasts=20.5 * DAYS), "127.0.0.1:9") as door:
        _, told = await doctor.look(door.url)
    assert (told["TLS certificate"]["level"], told["TLS certificate"]["what"]) == ("warning", "valid 20 more days")
    assert told["Admin key"]["what"] == "the cluster answers with status 502"


async def test_a_local_cluster_without_keys_is_warned_of_and_one_behind_nginx_is_a_problem(
    doctor: Doctor, certified: Callable[[Path], None], redis_url: str, tmp_path: Path
) -> None:
    async with cluster(redis_url, require_keys=False) as gateway:
        code, told = await doctor.look(gateway)
        assert (code, told["Keys"]["level"]) == (1, "warning"), "the exit status is that of another check"
        assert of_level(told, "problem") == {"Redis persistence"}
        assert told["TLS certificate"]["what"] == "plain HTTP on this machine"
        async with front_door(tmp_path, certified, gateway) as door:
            _, told = await doctor.look(door.url)
    assert (told["Keys"]["level"], told["Keys"]["what"]) == ("problem", "nobody is asked for one")


async def test_redis_without_a_file_and_with_eviction_is_found(doctor: Doctor, tmp_path: Path) -> None:
    options = ("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    async with running_redis(tmp_path, *options) as server, cluster(server.url) as gateway:
        code, told = await doctor.look(gateway)
    assert code == 1
    assert of_level(told, "problem") == {"Redis persistence", "Redis eviction"}
    assert "redis-cli CONFIG SET appendonly yes" in told["Redis persistence"]["todo"]
    assert told["Redis password"]["level"] == "warning"


async def test_a_cluster_without_a_worker_and_a_registry_is_told_so(
    doctor: Doctor, redis: Redis, redis_url: str
) -> None:
    nowhere = settings(redis_url, registry_url="http://127.0.0.1:9")
    async with serving(nowhere) as gateway:
        _, told = await doctor.look(gateway)
    assert {"Workers", "Registry"} <= of_level(told, "problem")
    assert {"Streaming", "Models", "GPU", "Model store"} <= of_level(told, "skipped")


async def test_a_key_that_is_no_admins_gets_the_checks_that_need_none(
    doctor: Doctor, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORRAL_API_KEY", "another")
    async with cluster(redis_url) as gateway:
        code, told = await doctor.look(gateway)
    assert (code, of_level(told, "problem"), of_level(told, "ok")) == (1, {"Admin key"}, {"Keys"})


async def test_lines_are_for_people(doctor: Doctor, run_corral: RunCorral, redis_url: str) -> None:
    async with cluster(redis_url) as gateway:
        code, out, _ = await run_corral(gateway, "doctor")
    assert code == 1
    first, *lines = out.splitlines()
    assert first == gateway
    at = next(number for number, line in enumerate(lines) if line.startswith("problem  Redis persistence"))
    assert lines[at + 1].strip().startswith("Start it with --appendonly yes")
    assert lines[-1].startswith("1 problem, ")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nobody_there_is_an_exit_status_of_its_own(run_corral: RunCorral, scheme: str) -> None:
    code, out, err = await run_corral(f"{scheme}://127.0.0.1:{free_port()}", "doctor")
    assert (code, out) == (UNREACHED, "")
    assert "127.0.0.1" in err


async def test_plain_http_where_https_is_asked_for_is_nobody_there(run_corral: RunCorral, redis_url: str) -> None:
    async with serving(settings(redis_url)) as gateway:
        code, _, err = await run_corral(gateway.replace("http:", "https:"), "doctor")
    assert code == UNREACHED
    assert "no TLS with" in err


async def test_a_name_that_nginx_does_not_serve_is_said_to_be_none_of_its_names(
    run_corral: RunCorral, certified: Callable[[Path], None], tmp_path: Path
) -> None:
    async with front_door(tmp_path, certified, "127.0.0.1:9") as door:
        code, _, err = await run_corral(door.url.replace("localhost", "127.0.0.1"), "doctor")
    assert code == UNREACHED
    assert "127.0.0.1 is not among the names it serves (EDGE_SERVER_NAME)" in err
