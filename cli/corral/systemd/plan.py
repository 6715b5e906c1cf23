"""Which files make systemd run a cluster, and what is in them. Pure; `files.py` writes them.

    system    /etc/systemd/system   /etc/corral           models under /var/lib/corral      account corral
    user      ~/.config/systemd     ~/.config/corral      in the user's state folder        the user's own

    corral.target ─► corral-valkey (unless there is a Redis) ◄─ corral-registry ◄─ corral-worker@1… ◄─ corral-gateway

Each service starts after those it leans on and so, because systemd stops in reverse, leaves before them. Only the
target is enabled; starting, stopping and restarting it reaches all of them.
Source: systemd.unit(5), systemd.service(5), systemd.exec(5), sysusers.d(5).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corral.errors import CliError
from corral.systemd import hardening
from corral.systemd.hardening import Options
from corral.up.plan import MEMORY_SHARE, WORKERS_MAX

ACCOUNT: Final = "corral"
TARGET: Final = "corral.target"
DRAIN_S: Final = 30
STOP_S: Final = 45  # the drain, and time to leave
VALKEY_STOP_S: Final = 20
WORKER_PORT_FIRST: Final = 11_440
UNIT_MODE: Final = 0o644
SECRET_MODE: Final = 0o600
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+@:-]*")  # what a unit can name without escapes
_PLAIN_URL = re.compile(r"(rediss?|unix)://[!#%&()*+,./0-9:;=?@A-Z\[\]_a-z~-]+")
_HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108  what ProtectHome, PrivateTmp hide


@dataclass(frozen=True)
class Scope:
    """Whose systemd it is, and where it looks for files."""

    is_system: bool
    units: Path
    config: Path
    accounts: Path | None

    @property
    def systemctl(self) -> str:
        return "systemctl" if self.is_system else "systemctl --user"

    @property
    def enabled_link(self) -> Path:
        """What `systemctl enable` makes of the target's [Install] section."""
        return self.units / f"{wanted_by(self)}.wants" / TARGET


SYSTEM: Final = Scope(
    is_system=True,
    units=Path("/etc/systemd/system"),
    config=Path("/etc/corral"),
    accounts=Path("/etc/sysusers.d"),
)


def user_scope(config_home: Path) -> Scope:
    return Scope(is_system=False, units=config_home / "systemd" / "user", config=config_home / "corral", accounts=None)


@dataclass(frozen=True)
class Host:
    """What the plan must know of this machine. `code` is every folder the services are run from."""

    python: str
    code: tuple[str, ...]
    valkey: str
    cores_count: int
    memory_bytes: int
    has_gpu: bool


@dataclass(frozen=True)
class Wanted:
    """What the operator chose; without a URL a Valkey of the cluster's own is run."""

    workers_count: int = 1
    redis_url: str = ""


@dataclass(frozen=True)
class PlannedFile:
    path: Path
    text: str
    mode: int = UNIT_MODE


def planned(scope: Scope, host: Host, wanted: Wanted) -> tuple[PlannedFile, ...]:
    """Every file of the installation.

    Raises: CliError for what a unit cannot name or a service could not read.
    """
    _check(scope, host, wanted)
    workers = [f"corral-worker@{number}.service" for number in range(1, wanted.workers_count + 1)]
    store = [] if wanted.redis_url else ["corral-valkey.service"]
    units = {
        TARGET: _target(scope, [*store, "corral-registry.service", *workers, "corral-gateway.service"]),
        "corral-registry.service": _registry(scope, host, wanted, store),
        "corral-worker@.service": _worker(scope, host, wanted, [*store, "corral-registry.service"]),
        "corral-gateway.service": _gateway(scope, host, wanted, [*store, "corral-registry.service", *workers]),
    }
    if store:
        units["corral-valkey.service"] = _valkey(scope, host)
    return (
        *(PlannedFile(scope.units / name, text) for name, text in units.items()),
        PlannedFile(scope.config / "corral.env", _common_settings(scope, wanted), SECRET_MODE),
        *(
            PlannedFile(scope.config / f"worker-{number}.env", _worker_settings(number, host, wanted), SECRET_MODE)
            for number in range(1, wanted.workers_count + 1)
        ),
        *_accounts(scope, host),
    )


def next_steps(scope: Scope) -> tuple[str, ...]:
    """What remains to be typed, in order."""
    first = ("systemd-sysusers corral.conf",) if scope.is_system else ()
    last = () if scope.is_system else ("loginctl enable-linger  # so that the cluster outlives your sessions",)
    return (*first, f"{scope.systemctl} daemon-reload", f"{scope.systemctl} enable --now {TARGET}", *last)


def wanted_by(scope: Scope) -> str:
    return "multi-user.target" if scope.is_system else "default.target"


def _check(scope: Scope, host: Host, wanted: Wanted) -> None:
    if not 1 <= wanted.workers_count <= WORKERS_MAX:
        raise CliError(f"there can be 1 to {WORKERS_MAX} workers, not {wanted.workers_count}")
    if wanted.redis_url and not _PLAIN_URL.fullmatch(wanted.redis_url):
        raise CliError("the Redis URL must begin with redis://, rediss:// or unix:// and have no spaces or quotes")
    for path in (host.python, *host.code, *([] if wanted.redis_url else [host.valkey]), str(scope.config)):
        if not _PLAIN_PATH.fullmatch(path):
            raise CliError(f"a unit cannot name {path!r}: use a path of letters, digits and ._+@:- only")
    if not scope.is_system:
        return
    for path in (host.python, *host.code, *([] if wanted.redis_url else [host.valkey])):
        if any(Path(path).is_relative_to(hidden) for hidden in _HIDDEN):
            raise CliError(
                f"the services could not read {path}: private folders are hidden from them. Install Corral in "
                "/opt/corral, for instance, and run this command from there; or use --user"
            )


def _unit(description: str, *, after: Iterable[str], service: Options) -> str:
    unit = (
        ("Description", f"Corral: {description}"),
        ("PartOf", TARGET),
        ("After", " ".join(("network.target", *after))),
        ("StartLimitIntervalSec", "0"),  # Redis may be away for long; every service goes on trying
    )
    return _sections(("Unit", unit), ("Service", service))


def _sections(*sections: tuple[str, Options]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{option}={value}\n" for option, value in options) for name, options in sections
    )


def _target(scope: Scope, units: Iterable[str]) -> str:
    unit = (("Description", "Corral: local language models for a team"), ("Wants", " ".join(units)))
    return _sections(("Unit", unit), ("Install", (("WantedBy", wanted_by(scope)),)))


def _common(scope: Scope, *, stop_s: int) -> Options:
    account: Options = (("User", ACCOUNT), ("Group", ACCOUNT)) if scope.is_system else ()
    return (
        ("Type", "exec"),
        *account,
        ("SyslogIdentifier", "%N"),
        ("Restart", "on-failure"),
        ("RestartSec", "2"),
        ("TimeoutStopSec", str(stop_s)),
    )


def _valkey(scope: Scope, host: Host) -> str:
    folder = '--dir %S/corral/redis --appendonly yes --save "" --daemonize no'
    return _unit(
        "Valkey, on a socket only its own services reach",
        after=(),
        service=(
            ("ExecStart", f"{host.valkey} --port 0 --unixsocket %t/corral/redis.sock --unixsocketperm 700 {folder}"),
            *_common(scope, stop_s=VALKEY_STOP_S),
            ("StateDirectory", "corral/redis"),
            ("StateDirectoryMode", "0700"),
            ("RuntimeDirectory", "corral"),
            ("RuntimeDirectoryMode", "0700"),
            *hardening.options(is_system=scope.is_system, has_network=False),
        ),
    )


def _python(scope: Scope, host: Host, wanted: Wanted, service: str) -> Options:
    """How a service of ours is run. What the files of settings say wins over what the unit says."""
    address: Options = () if wanted.redis_url else (("Environment", "CORRAL_REDIS_URL=unix://%t/corral/redis.sock"),)
    return (
        ("ExecStart", f"{host.python} -m services.{service}"),
        *_common(scope, stop_s=STOP_S),
        ("KillMode", "mixed"),  # the service itself ends its children, once their work is done
        ("Environment", "PYTHONUNBUFFERED=1"),
        ("Environment", f"CORRAL_DRAIN_S={DRAIN_S}"),
        ("Environment", "CORRAL_MODELS_DIR=%S/corral/models"),
        *address,
        ("EnvironmentFile", str(scope.config / "corral.env")),
    )


def _registry(scope: Scope, host: Host, wanted: Wanted, after: Iterable[str]) -> str:
    return _unit(
        "registry of models",
        after=after,
        service=(
            *_python(scope, host, wanted, "registry"),
            ("StateDirectory", "corral/models"),
            ("StateDirectoryMode", "0750"),
            *hardening.options(is_system=scope.is_system),
        ),
    )


def _worker(scope: Scope, host: Host, wanted: Wanted, after: Iterable[str]) -> str:
    memory_lock: Options = (("LimitMEMLOCK", "infinity"),) if scope.is_system else ()
    return _unit(
        "worker %i",
        after=after,
        service=(
            *_python(scope, host, wanted, "worker"),
            ("EnvironmentFile", str(scope.config / "worker-%i.env")),
            ("Environment", "CORRAL_CACHE_DIR=%S/corral/cache"),
            ("StateDirectory", "corral/cache"),
            ("StateDirectoryMode", "0750"),
            ("OOMPolicy", "continue"),  # a model that took too much memory dies alone
            *memory_lock,
            *hardening.options(is_system=scope.is_system, uses_gpu=host.has_gpu),
        ),
    )


def _gateway(scope: Scope, host: Host, wanted: Wanted, after: Iterable[str]) -> str:
    return _unit(
        "gateway",
        after=after,
        service=(
            *_python(scope, host, wanted, "gateway"),
            ("LimitNOFILE", "65536"),  # a connection each
            *hardening.options(is_system=scope.is_system),
        ),
    )


def _common_settings(scope: Scope, wanted: Wanted) -> str:
    lines = [
        "# Settings of all services of Corral, NAME=value; docs/configuration.md lists them.",
        f"# They are read when a service starts: {scope.systemctl} restart {TARGET}",
        f"# Draining: services get {STOP_S} s to stop, so a longer CORRAL_DRAIN_S needs a longer TimeoutStopSec, too.",
    ]
    if wanted.redis_url:
        lines.append(f'CORRAL_REDIS_URL="{wanted.redis_url}"')
    return "\n".join(lines) + "\n"


def _worker_settings(number: int, host: Host, wanted: Wanted) -> str:
    """An even part of the machine for each of several workers; one alone looks for itself."""
    lines = [f"CORRAL_WORKER_PORT={WORKER_PORT_FIRST + number - 1}"]
    if wanted.workers_count > 1:
        lines += [
            f"CORRAL_WORKER_THREADS={max(1, host.cores_count // wanted.workers_count)}",
            f"CORRAL_WORKER_MEMORY_BYTES_MAX={int(host.memory_bytes * MEMORY_SHARE) // wanted.workers_count}",
        ]
    return "\n".join(lines) + "\n"


def _accounts(scope: Scope, host: Host) -> tuple[PlannedFile, ...]:
    """The account the services run as, for systemd-sysusers; with a GPU, a member of the groups that own it."""
    if scope.accounts is None:
        return ()
    lines = [f'u {ACCOUNT} - "Corral" /var/lib/corral']
    if host.has_gpu:
        lines += [f"m {ACCOUNT} {group}" for group in ("video", "render")]
    return (PlannedFile(scope.accounts / "corral.conf", "\n".join(lines) + "\n"),)
