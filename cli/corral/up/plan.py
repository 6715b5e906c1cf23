"""What `corral up` starts: which processes, in which order, with which environment. Pure; starting is `supervisor.py`.

Data under CORRAL_HOME:
    models/   the model store, in Ollama's layout       redis/   Valkey's append-only file
    cache/    what workers keep of foreign models       logs/    one file per process
    lock      held while a cluster runs on this data
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corral.errors import CliError

DEFAULT_PORT: Final = 11434
WORKERS_MAX: Final = 64
LOOPBACK: Final = "127.0.0.1"
VALKEY_STOP_S: Final = 10.0
DRAIN_SLACK_S: Final = 5.0
DEFAULT_DRAIN_S: Final = 30.0
MEMORY_SHARE: Final = 0.8  # of the machine, for the models of all workers together

UP_VARIABLES: Final = ("CORRAL_HOME", "CORRAL_PORT", "CORRAL_WORKERS")
CLIENT_VARIABLES: Final = ("CORRAL_HOST", "CORRAL_API_KEY", "CORRAL_API_KEY_FILE")


@dataclass(frozen=True)
class UpSettings:
    """What the user chose for the cluster as a whole."""

    home: Path
    port: int
    workers_count: int


@dataclass(frozen=True)
class Service:
    """One process: how to start it, how to see that it is ready, how long it may take to leave.

    Exactly one of `ready_url` and `ready_socket` is set.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stop_s: float
    ready_url: str = ""
    ready_socket: str = ""


@dataclass(frozen=True)
class Machine:
    """What this machine offers; everything the plan cannot know by itself."""

    python: str
    valkey: str
    socket: str
    cores_count: int
    memory_bytes: int
    ports: Sequence[int]  # free ones: the registry's, then one per worker


Stages = tuple[tuple[Service, ...], ...]


def settings_from(environ: Mapping[str, str], user_home: Path) -> UpSettings:
    """Raises: CliError naming the variable that cannot be used."""
    home = environ.get("CORRAL_HOME", "")
    return UpSettings(
        home=_expanded(home, user_home) if home else user_home / ".corral",
        port=_number(environ, "CORRAL_PORT", DEFAULT_PORT, maximum=65_535),
        workers_count=_number(environ, "CORRAL_WORKERS", 1, maximum=WORKERS_MAX),
    )


def _expanded(text: str, user_home: Path) -> Path:
    return user_home / text.removeprefix("~/") if text.startswith("~/") else Path(text).absolute()


def _number(environ: Mapping[str, str], name: str, default: int, *, maximum: int) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= maximum:
        raise CliError(f"{name} must be a whole number from 1 to {maximum}, not {text!r}")
    return int(text)


def stages(settings: UpSettings, machine: Machine, environ: Mapping[str, str]) -> Stages:
    """Processes in starting order; those of one stage start, and later stop, together."""
    registry_port, *worker_ports = machine.ports
    assert len(worker_ports) == settings.workers_count
    common = {
        **{k: v for k, v in environ.items() if k not in (*UP_VARIABLES, *CLIENT_VARIABLES)},
        "PYTHONUNBUFFERED": "1",
    }
    redis_url, registry_url = f"unix://{machine.socket}", f"http://{LOOPBACK}:{registry_port}"
    own = {"REDIS_URL": redis_url, "HOST": LOOPBACK}
    store = _chosen(environ, "REGISTRY", "MODELS_DIR", str(settings.home / "models"))
    registry = {**own, "PORT": str(registry_port), "MODELS_DIR": store}
    worker = {
        **own,
        "REGISTRY_URL": registry_url,
        "MODELS_DIR": _chosen(environ, "WORKER", "MODELS_DIR", store),
        "CACHE_DIR": _chosen(environ, "WORKER", "CACHE_DIR", str(settings.home / "cache")),
        **_memory(settings, machine, environ),
        "THREADS": _chosen(environ, "WORKER", "THREADS", str(max(1, machine.cores_count // settings.workers_count))),
    }
    gateway = {"REDIS_URL": redis_url, "REGISTRY_URL": registry_url, "PORT": str(settings.port)}
    return (
        (_valkey(settings, machine, common),),
        (_python_service("registry", "registry", machine, common, registry),),
        tuple(
            _python_service(f"worker-{number}", "worker", machine, common, {**worker, "PORT": str(port)})
            for number, port in enumerate(worker_ports, start=1)
        ),
        (_python_service("gateway", "gateway", machine, common, gateway),),
    )


def _memory(settings: UpSettings, machine: Machine, environ: Mapping[str, str]) -> dict[str, str]:
    """An even part for each of several workers; one alone looks for itself."""
    if settings.workers_count == 1 or _chosen(environ, "WORKER", "MEMORY_BYTES_MAX", ""):
        return {}
    return {"MEMORY_BYTES_MAX": str(int(machine.memory_bytes * MEMORY_SHARE) // settings.workers_count)}


def _chosen(environ: Mapping[str, str], service: str, field: str, default: str) -> str:
    """The user's own value for a setting, as the service itself would find it."""
    return environ.get(f"CORRAL_{service}_{field}") or environ.get(f"CORRAL_{field}") or default


def _valkey(settings: UpSettings, machine: Machine, env: Mapping[str, str]) -> Service:
    options = {
        "port": "0",  # the private socket is the only way in
        "unixsocket": machine.socket,
        "unixsocketperm": "700",
        "dir": str(settings.home / "redis"),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
    }
    argv = [machine.valkey]
    for name, value in options.items():
        argv += [f"--{name}", value]
    return Service("valkey", tuple(argv), env, VALKEY_STOP_S, ready_socket=machine.socket)


def _python_service(
    name: str, service: str, machine: Machine, env: Mapping[str, str], own: Mapping[str, str]
) -> Service:
    prefix = f"CORRAL_{service.upper()}_"
    return Service(
        name,
        (machine.python, "-m", f"services.{service}"),
        {**env, **{prefix + field: value for field, value in own.items()}},
        _stop_s(env, service.upper()),
        ready_url=f"http://{LOOPBACK}:{own['PORT']}/readyz",
    )


def _stop_s(environ: Mapping[str, str], service: str) -> float:
    """A little more than the service gives itself to drain; a value it will refuse anyway counts as the default."""
    try:
        drain_s = float(_chosen(environ, service, "DRAIN_S", str(DEFAULT_DRAIN_S)))
    except ValueError:
        drain_s = DEFAULT_DRAIN_S
    return max(0.0, drain_s) + DRAIN_SLACK_S
