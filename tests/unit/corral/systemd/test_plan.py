"""Which units there are, how they hang together, and what their services are told."""

from pathlib import Path

import msgspec
import pytest

from corral.errors import CliError
from corral.systemd.plan import SYSTEM, Host, Scope, Wanted, next_steps, planned, user_scope
from services.gateway.settings import Settings as GatewaySettings
from services.registry.settings import Settings as RegistrySettings
from services.worker.settings import Settings as WorkerSettings
from shared.settings import load

USER = user_scope(Path("/home/ada/.config"))
SERVICES: dict[str, type[msgspec.Struct]] = {
    "corral-registry.service": RegistrySettings,
    "corral-worker@.service": WorkerSettings,
    "corral-gateway.service": GatewaySettings,
}


def host(*, python: str = "/opt/corral/bin/python", has_gpu: bool = False) -> Host:
    return Host(
        python=python,
        code=("/opt/corral",),
        valkey="/usr/bin/valkey-server",
        cores_count=8,
        memory_bytes=10_000,
        has_gpu=has_gpu,
    )


def texts(
    scope: Scope = SYSTEM,
    wanted: Wanted | None = None,
    *,
    has_gpu: bool = False,
    python: str = "/opt/corral/bin/python",
) -> dict[str, str]:
    files = planned(scope, host(python=python, has_gpu=has_gpu), wanted or Wanted())
    return {str(file.path): file.text for file in files}


def unit(
    name: str, scope: Scope = SYSTEM, wanted: Wanted | None = None, *, has_gpu: bool = False
) -> dict[str, list[str]]:
    """The options of one unit; each may be given several times."""
    found: dict[str, list[str]] = {}
    for line in texts(scope, wanted, has_gpu=has_gpu)[str(scope.units / name)].splitlines():
        option, separator, value = line.partition("=")
        if separator:
            found.setdefault(option, []).append(value)
    return found


def test_the_target_wants_every_service_and_is_the_only_unit_to_enable() -> None:
    wanted = unit("corral.target", wanted=Wanted(workers_count=2))["Wants"][0].split()
    assert wanted == [
        "corral-valkey.service",
        "corral-registry.service",
        "corral-worker@1.service",
        "corral-worker@2.service",
        "corral-gateway.service",
    ]
    enabled = [path for path, text in texts().items() if "[Install]" in text]
    assert enabled == ["/etc/systemd/system/corral.target"]


@pytest.mark.parametrize("name", [*SERVICES, "corral-valkey.service"])
def test_every_service_starts_and_stops_with_the_target_and_comes_back_for_ever(name: str) -> None:
    told = unit(name)
    assert (told["PartOf"], told["Restart"], told["StartLimitIntervalSec"]) == (
        ["corral.target"],
        ["on-failure"],
        ["0"],
    )


def test_the_gateway_leaves_first_and_valkey_last() -> None:
    wanted = Wanted(workers_count=2)
    gateway, worker = (
        unit(name, wanted=wanted)["After"][0] for name in ("corral-gateway.service", "corral-worker@.service")
    )
    assert {"corral-worker@1.service", "corral-worker@2.service", "corral-registry.service"} <= {*gateway.split()}
    assert {"corral-registry.service", "corral-valkey.service"} <= {*worker.split()}
    assert unit("corral-valkey.service")["After"] == ["network.target"]


@pytest.mark.parametrize("name", SERVICES)
def test_stopping_waits_longer_than_draining(name: str) -> None:
    told = unit(name)
    drain_s = next(one for one in told["Environment"] if one.startswith("CORRAL_DRAIN_S=")).partition("=")[2]
    assert float(told["TimeoutStopSec"][0]) >= float(drain_s) + 10
    assert told["KillMode"] == ["mixed"]


@pytest.mark.parametrize("scope", [SYSTEM, USER], ids=["system", "user"])
@pytest.mark.parametrize("name", SERVICES)
def test_every_service_accepts_what_its_unit_tells_it(name: str, scope: Scope) -> None:
    files = texts(scope, Wanted(workers_count=2))
    environ = dict(one.split("=", 1) for one in unit(name, scope)["Environment"])
    for file in unit(name, scope)["EnvironmentFile"]:
        lines = files[file.replace("%i", "2")].splitlines()
        environ |= dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    settings = load(
        SERVICES[name],
        environ,
        prefix=f"CORRAL_{name.removeprefix('corral-').partition('@')[0].partition('.')[0].upper()}_",
    )
    assert msgspec.structs.asdict(settings)["redis_url"].reveal() == "unix://%t/corral/redis.sock"


def test_workers_have_ports_of_their_own_and_share_the_machine() -> None:
    files = texts(wanted=Wanted(workers_count=3))
    assert files["/etc/corral/worker-3.env"].splitlines() == [
        "CORRAL_WORKER_PORT=11442",
        "CORRAL_WORKER_THREADS=2",
        "CORRAL_WORKER_MEMORY_BYTES_MAX=2666",
    ]
    assert texts()["/etc/corral/worker-1.env"] == "CORRAL_WORKER_PORT=11440\n"


def test_a_redis_of_the_operators_own_replaces_valkey_and_its_password_is_in_no_unit() -> None:
    url = "rediss://:s3cret%21@redis.example:6380/0"
    files = planned(SYSTEM, host(), Wanted(redis_url=url))
    assert [file.path.name for file in files if "valkey" in file.path.name or "valkey" in file.text] == []
    assert [(file.path.name, file.mode) for file in files if "s3cret" in file.text] == [("corral.env", 0o600)]


@pytest.mark.parametrize(
    "url", ["http://redis", "redis://a b", 'redis://a"b', "redis://a$b", "redis://a\nX=1", "redis://"]
)
def test_a_redis_url_that_a_file_of_settings_could_misread_is_refused(url: str) -> None:
    with pytest.raises(CliError, match="Redis URL"):
        planned(SYSTEM, host(), Wanted(redis_url=url))


def test_services_of_the_machine_have_an_account_and_those_of_a_user_have_not() -> None:
    assert texts()["/etc/sysusers.d/corral.conf"] == 'u corral - "Corral" /var/lib/corral\n'
    assert unit("corral-gateway.service")["User"] == ["corral"]
    assert "User" not in unit("corral-gateway.service", USER)
    assert not any("sysusers" in path for path in texts(USER))


def test_a_gpu_opens_its_devices_to_the_workers_alone() -> None:
    assert unit("corral-worker@.service")["PrivateDevices"] == ["yes"]
    with_gpu = unit("corral-worker@.service", has_gpu=True)
    assert "PrivateDevices" not in with_gpu
    assert "char-nvidia* rw" in with_gpu["DeviceAllow"]
    assert "MemoryDenyWriteExecute" not in with_gpu
    assert unit("corral-gateway.service", has_gpu=True)["MemoryDenyWriteExecute"] == ["yes"]
    assert "m corral render" in texts(has_gpu=True)["/etc/sysusers.d/corral.conf"]


def test_valkey_has_no_network() -> None:
    told = unit("corral-valkey.service")
    assert (told["PrivateNetwork"], told["RestrictAddressFamilies"]) == (["yes"], ["AF_UNIX"])
    assert "--port 0" in told["ExecStart"][0]


@pytest.mark.parametrize("python", ["/home/ada/corral/bin/python", "/root/python", "/tmp/venv/bin/python"])
def test_code_that_the_services_could_not_see_is_refused_for_the_machine_and_fine_for_a_user(python: str) -> None:
    with pytest.raises(CliError, match="could not read"):
        texts(python=python)
    assert texts(USER, python=python)


@pytest.mark.parametrize("python", ["/opt/my corral/python", "/opt/100%/python", "/opt/$x/python", 'a"b', "bin/python"])
def test_paths_that_a_unit_would_read_differently_are_refused(python: str) -> None:
    with pytest.raises(CliError, match="cannot name"):
        texts(python=python)


@pytest.mark.parametrize(("count", "works"), [(0, False), (1, True), (64, True), (65, False)])
def test_there_is_a_limit_of_workers(count: int, works: bool) -> None:
    try:
        files = planned(SYSTEM, host(), Wanted(workers_count=count))
        assert works
        assert sum(file.path.name.startswith("worker-") for file in files) == count
    except CliError:
        assert not works


def test_what_remains_to_be_typed() -> None:
    assert next_steps(SYSTEM)[0] == "systemd-sysusers corral.conf"
    assert next_steps(USER)[:2] == ("systemctl --user daemon-reload", "systemctl --user enable --now corral.target")
