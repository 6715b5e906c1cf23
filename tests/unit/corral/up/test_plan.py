"""What `corral up` decides before it starts anything."""

from pathlib import Path

import pytest

from corral.errors import CliError
from corral.up.plan import Machine, Service, settings_from, stages

HOME = Path("/home/ada")


def planned(environ: dict[str, str], *, cores: int = 8) -> dict[str, Service]:
    settings = settings_from(environ, HOME)
    machine = Machine(
        python="/venv/python",
        valkey="/bin/valkey-server",
        socket="/run/x/redis.sock",
        cores_count=cores,
        memory_bytes=10_000,
        ports=tuple(range(20_000, 20_001 + settings.workers_count)),
    )
    return {service.name: service for stage in stages(settings, machine, environ) for service in stage}


def test_services_start_from_the_ground_up() -> None:
    assert list(planned({"CORRAL_WORKERS": "2"})) == ["valkey", "registry", "worker-1", "worker-2", "gateway"]


def test_defaults_are_ollamas_port_one_worker_and_a_folder_in_the_home() -> None:
    settings = settings_from({}, HOME)
    assert (settings.home, settings.port, settings.workers_count) == (HOME / ".corral", 11434, 1)


def test_every_service_is_told_where_the_others_are() -> None:
    services = planned({"CORRAL_PORT": "9000"})
    gateway, worker, registry = (services[name].env for name in ("gateway", "worker-1", "registry"))
    assert gateway["CORRAL_GATEWAY_PORT"] == "9000"
    assert gateway["CORRAL_GATEWAY_REDIS_URL"] == worker["CORRAL_WORKER_REDIS_URL"] == "unix:///run/x/redis.sock"
    assert gateway["CORRAL_GATEWAY_REGISTRY_URL"] == worker["CORRAL_WORKER_REGISTRY_URL"] == "http://127.0.0.1:20000"
    assert registry["CORRAL_REGISTRY_PORT"] == "20000"
    assert registry["CORRAL_REGISTRY_MODELS_DIR"] == worker["CORRAL_WORKER_MODELS_DIR"] == "/home/ada/.corral/models"
    assert services["worker-1"].ready_url == "http://127.0.0.1:20001/readyz"


def test_only_the_private_socket_leads_to_valkey_and_its_file_is_appended_to() -> None:
    argv = planned({})["valkey"].argv
    assert argv[argv.index("--port") + 1] == "0"
    assert argv[argv.index("--appendonly") + 1] == "yes"
    assert argv[argv.index("--dir") + 1] == "/home/ada/.corral/redis"


@pytest.mark.parametrize(("workers", "cores", "threads"), [(1, 8, "8"), (3, 8, "2"), (4, 2, "1")])
def test_workers_share_the_cores(workers: int, cores: int, threads: str) -> None:
    services = planned({"CORRAL_WORKERS": str(workers)}, cores=cores)
    assert services[f"worker-{workers}"].env["CORRAL_WORKER_THREADS"] == threads


def test_several_workers_share_the_memory_and_one_looks_for_itself() -> None:
    name = "CORRAL_WORKER_MEMORY_BYTES_MAX"
    assert planned({"CORRAL_WORKERS": "4"})["worker-4"].env[name] == "2000"
    assert name not in planned({})["worker-1"].env
    assert planned({"CORRAL_WORKERS": "2", name: "77"})["worker-1"].env[name] == "77"


def test_the_users_own_settings_reach_the_services() -> None:
    environ = {"CORRAL_NUM_PARALLEL": "8", "CORRAL_THREADS": "3", "CORRAL_MODELS_DIR": "/models", "HOME": "/home/ada"}
    services = planned(environ)
    assert services["worker-1"].env["CORRAL_NUM_PARALLEL"] == "8"
    assert services["worker-1"].env["CORRAL_WORKER_THREADS"] == "3"
    assert services["registry"].env["CORRAL_REGISTRY_MODELS_DIR"] == "/models"
    assert services["worker-1"].env["CORRAL_WORKER_MODELS_DIR"] == "/models"


def test_what_only_concerns_up_and_the_client_stays_with_them() -> None:
    environ = {"CORRAL_HOME": "/data", "CORRAL_PORT": "9000", "CORRAL_WORKERS": "1"}
    environ |= {"CORRAL_HOST": "http://127.0.0.1:9000", "CORRAL_API_KEY": "secret"}
    for service in planned(environ).values():
        assert not environ.keys() & service.env.keys()


def test_a_service_gets_a_little_longer_than_its_own_drain() -> None:
    services = planned({"CORRAL_DRAIN_S": "2", "CORRAL_GATEWAY_DRAIN_S": "7"})
    assert (services["worker-1"].stop_s, services["gateway"].stop_s) == (7.0, 12.0)
    assert planned({"CORRAL_DRAIN_S": "soon"})["gateway"].stop_s == 35.0


@pytest.mark.parametrize(
    ("name", "value"),
    [("CORRAL_PORT", "0"), ("CORRAL_PORT", "65536"), ("CORRAL_PORT", "web"), ("CORRAL_WORKERS", "65")],
)
def test_numbers_out_of_range_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(CliError, match=name):
        settings_from({name: value}, HOME)


def test_numbers_at_the_limits_are_accepted() -> None:
    assert settings_from({"CORRAL_PORT": "65535", "CORRAL_WORKERS": "64"}, HOME).workers_count == 64


def test_the_home_may_be_written_with_a_tilde() -> None:
    assert settings_from({"CORRAL_HOME": "~/llm"}, HOME).home == HOME / "llm"
