"""The services as their units say: systemd's part, starting them, is played by the supervisor of `corral up`.

Services that must not make new code are started so that the kernel holds them to it, as systemd does.
"""

import asyncio
import os
import shlex
import sys
import tempfile
from pathlib import Path

import httpx

from corral.systemd.files import install
from corral.systemd.plan import Host, Scope, Wanted, planned, user_scope
from corral.up import bundled, first_prompt
from corral.up.plan import Service
from corral.up.supervisor import Supervisor
from harness.cluster import free_port

# Source: prctl(2), PR_SET_MDWE (65) with PR_MDWE_REFUSE_EXEC_GAIN (1); kernels before 6.3 refuse it and change nothing.
WITHOUT_NEW_CODE = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
TOKENS_MAX = 5
PROMPT = {"model": bundled.MODEL_NAME, "prompt": "A cow says", "stream": False, "options": {"num_predict": TOKENS_MAX}}


def options(unit: Path, instance: str, folder: Path) -> dict[str, list[str]]:
    """The options of an installed unit with systemd's specifiers filled in."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        option, separator, value = line.partition("=")
        if separator:
            filled = value.replace("%i", instance).replace("%S", f"{folder}/state").replace("%t", f"{folder}/run")
            found.setdefault(option, []).append(filled)
    return found


def service(scope: Scope, name: str, folder: Path, **own: str) -> Service:
    """What systemd would start; `own` replaces settings whose usual ports may be taken here."""
    template, _, instance = name.partition("@")
    told = options(scope.units / (f"{template}@.service" if instance else f"{name}.service"), instance, folder)
    for kind, place in (("StateDirectory", "state"), ("RuntimeDirectory", "run")):
        for made in told.get(kind, []):
            (folder / place / made).mkdir(parents=True, exist_ok=True)
    lines = [*told.get("Environment", [])]
    for file in told.get("EnvironmentFile", []):
        lines += [line for line in Path(file).read_text().splitlines() if not line.startswith("#")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **dict(line.split("=", 1) for line in lines), **own}
    argv = shlex.split(told["ExecStart"][0])
    if told.get("MemoryDenyWriteExecute") == ["yes"]:
        argv = [sys.executable, "-c", WITHOUT_NEW_CODE, *argv]
    stop_s = float(told["TimeoutStopSec"][0])
    if template == "corral-valkey":
        return Service(name, tuple(argv), environ, stop_s, ready_socket=f"{folder}/run/corral/redis.sock")
    port = next(value for variable, value in own.items() if variable.endswith("_PORT"))
    return Service(name, tuple(argv), environ, stop_s, ready_url=f"http://127.0.0.1:{port}/readyz")


async def test_the_installed_units_make_a_cluster_that_answers() -> None:
    with tempfile.TemporaryDirectory(prefix="corral-") as name:
        folder = Path(name)
        scope = user_scope(folder / "config")
        host = Host(
            python=sys.executable,
            code=(sys.prefix,),
            valkey=str(bundled.valkey_binary()),
            cores_count=2,
            memory_bytes=1 << 32,
            has_gpu=False,
        )
        install(planned(scope, host, Wanted()), scope.config, lambda _text: None)
        registry, worker, gateway = (str(free_port()) for _ in range(3))
        registry_url = f"http://127.0.0.1:{registry}"
        stages = (
            (service(scope, "corral-valkey", folder),),
            (service(scope, "corral-registry", folder, CORRAL_REGISTRY_PORT=registry),),
            (service(scope, "corral-worker@1", folder, CORRAL_WORKER_PORT=worker, CORRAL_REGISTRY_URL=registry_url),),
            (service(scope, "corral-gateway", folder, CORRAL_GATEWAY_PORT=gateway, CORRAL_REGISTRY_URL=registry_url),),
        )
        said: list[str] = []
        supervisor = Supervisor(stages, folder, said.append)
        try:
            await supervisor.start()
            await asks(f"http://127.0.0.1:{gateway}")
        finally:
            await supervisor.stop()
        assert not any("killed" in text for text in said), said
        assert await asyncio.to_thread(lambda: any((folder / "state/corral/models/blobs").iterdir()))


async def asks(url: str) -> None:
    weights = bundled.model_file()
    assert weights is not None
    async with first_prompt.connect(url, "") as http:
        await first_prompt.ensure_model(http, weights)
        response = await http.post("/api/generate", json=PROMPT, timeout=httpx.Timeout(60))
    assert response.status_code == 200, response.text
    assert 0 < response.json()["eval_count"] <= TOKENS_MAX
