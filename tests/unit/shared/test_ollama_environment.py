"""Ollama's variables as settings of ours."""

import msgspec
import pytest
from structlog.testing import capture_logs

from services.gateway.settings import Settings as GatewaySettings
from services.registry.settings import Settings as RegistrySettings
from services.worker.settings import Settings as WorkerSettings
from shared.ollama_environment import ROWS, UNLIMITED_S, adopt, report, seconds
from shared.settings import load

SERVICES: dict[str, type[msgspec.Struct]] = {
    "gateway": GatewaySettings,
    "registry": RegistrySettings,
    "worker": WorkerSettings,
}


def settled(service: str, **environ: str) -> dict[str, object]:
    prefix = f"CORRAL_{service.upper()}_"
    return msgspec.structs.asdict(load(SERVICES[service], adopt(environ, service).environ, prefix=prefix))


def test_every_row_sets_fields_that_its_services_have() -> None:
    for row in ROWS:
        for service in row.services:
            assert set(row.fields) <= set(SERVICES[service].__struct_fields__), row.variable


@pytest.mark.parametrize(
    ("service", "variable", "text", "field", "value"),
    [
        (
            "gateway",
            "OLLAMA_ORIGINS",
            "https://a.example,https://b.example",
            "origins",
            "https://a.example,https://b.example",
        ),
        ("gateway", "OLLAMA_MAX_QUEUE", "7", "queue_depth_max", 7),
        ("registry", "OLLAMA_MODELS", "/srv/models", "models_dir", "/srv/models"),
        ("worker", "OLLAMA_KEEP_ALIVE", "1h30m", "keep_alive_s", 5400.0),
        ("worker", "OLLAMA_KEEP_ALIVE", "90", "keep_alive_s", 90.0),
        ("worker", "OLLAMA_KEEP_ALIVE", "-1", "keep_alive_s", -1.0),
        ("worker", "OLLAMA_KEEP_ALIVE", "-2m", "keep_alive_s", -120.0),
        ("worker", "OLLAMA_KEEP_ALIVE", "0", "keep_alive_s", 0.0),
        ("worker", "OLLAMA_LOAD_TIMEOUT", "10m", "load_timeout_s", 600.0),
        ("worker", "OLLAMA_LOAD_TIMEOUT", "0", "load_timeout_s", UNLIMITED_S),
        ("worker", "OLLAMA_CONTEXT_LENGTH", "8192", "context_tokens", 8192),
        ("worker", "OLLAMA_NUM_PARALLEL", '"2"', "num_parallel", 2),
        ("worker", "OLLAMA_MAX_LOADED_MODELS", " 5 ", "max_loaded_models", 5),
        ("worker", "OLLAMA_FLASH_ATTENTION", "1", "flash_attention", True),
        ("worker", "OLLAMA_FLASH_ATTENTION", "on", "flash_attention", True),
        ("worker", "OLLAMA_FLASH_ATTENTION", "FALSE", "flash_attention", False),
        ("registry", "OLLAMA_DEBUG", "1", "log_level", "debug"),
        ("registry", "OLLAMA_DEBUG", "0", "log_level", "info"),
    ],
)
def test_a_variable_of_ollamas_is_a_setting_of_ours(
    service: str, variable: str, text: str, field: str, value: object
) -> None:
    assert settled(service, **{variable: text})[field] == value


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0", "0.0.0.0", 11434),
        ("127.0.0.1:9999", "127.0.0.1", 9999),
        (":9999", "127.0.0.1", 9999),
        ("http://10.0.0.5", "10.0.0.5", 80),
        ("https://10.0.0.5/", "10.0.0.5", 443),
        ("http://10.0.0.5:8080/path", "10.0.0.5", 8080),
        ("[::1]:9999", "::1", 9999),
        ("[::]", "::", 11434),
        ("::1", "::1", 11434),
        (" 'box' ", "box", 11434),
    ],
)
def test_the_address_is_read_as_ollama_reads_it(text: str, host: str, port: int) -> None:
    told = settled("gateway", OLLAMA_HOST=text)
    assert (told["host"], told["port"]) == (host, port)


@pytest.mark.parametrize(
    ("service", "variable", "text"),
    [
        ("gateway", "OLLAMA_HOST", "ftp://a"),
        ("gateway", "OLLAMA_HOST", "a:web"),
        ("gateway", "OLLAMA_HOST", "a:0"),
        ("gateway", "OLLAMA_HOST", "a:65536"),
        ("worker", "OLLAMA_KEEP_ALIVE", "soon"),
        ("worker", "OLLAMA_KEEP_ALIVE", "5 m"),
        ("worker", "OLLAMA_KEEP_ALIVE", "9223372037"),
        ("worker", "OLLAMA_KEEP_ALIVE", "9" * 400),
        ("worker", "OLLAMA_KEEP_ALIVE", "-" + "9" * 400 + "h"),
        ("worker", "OLLAMA_NUM_PARALLEL", "-1"),
        ("worker", "OLLAMA_NUM_PARALLEL", "many"),
    ],
)
def test_what_cannot_be_read_changes_nothing_and_is_told(service: str, variable: str, text: str) -> None:
    adoption = adopt({variable: text}, service)
    assert (adoption.adopted, adoption.unreadable) == ((), (variable,))
    assert settled(service, **{variable: text}) == settled(service)


@pytest.mark.parametrize("ours", ["CORRAL_WORKER_NUM_PARALLEL", "CORRAL_NUM_PARALLEL"])
def test_our_own_variables_win(ours: str) -> None:
    assert settled("worker", OLLAMA_NUM_PARALLEL="2", **{ours: "3"})["num_parallel"] == 3


def test_half_of_an_address_may_be_ours() -> None:
    told = settled("gateway", OLLAMA_HOST="10.0.0.5:9999", CORRAL_GATEWAY_PORT="1234")
    assert (told["host"], told["port"]) == ("10.0.0.5", 1234)


def test_where_the_commands_find_the_cluster_is_not_where_the_gateway_listens() -> None:
    told = settled("gateway", OLLAMA_HOST="10.0.0.5:9999", CORRAL_HOST="https://corral.example")
    assert told["host"] == "10.0.0.5"


@pytest.mark.parametrize("text", ["", '""', "  "])
def test_an_empty_variable_says_nothing(text: str) -> None:
    adoption = adopt({"OLLAMA_HOST": text}, "gateway")
    assert (adoption.adopted, adoption.unreadable) == ((), ())


def test_each_setting_taken_is_logged_once() -> None:
    environ = {"OLLAMA_HOST": "127.0.0.1:9999", "OLLAMA_MAX_QUEUE": "x", "OLLAMA_NUM_PARALLEL": "2"}
    with capture_logs() as logs:
        report(adopt(environ, "gateway"))
    told = [(log["event"], log.get("setting"), log["variable"]) for log in logs]
    assert told == [
        ("setting_adopted", "CORRAL_GATEWAY_HOST", "OLLAMA_HOST"),
        ("setting_adopted", "CORRAL_GATEWAY_PORT", "OLLAMA_HOST"),
        ("setting_ignored", None, "OLLAMA_MAX_QUEUE"),
    ]


@pytest.mark.parametrize(
    ("text", "value_s"),
    [
        ("300ms", 0.3),
        ("1.5h", 5400.0),
        ("2h45m", 9900.0),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("7", 7.0),
        ("9223372036", 9223372036.0),
    ],
)
def test_durations_are_gos(text: str, value_s: float) -> None:
    assert seconds(text) == pytest.approx(value_s)
