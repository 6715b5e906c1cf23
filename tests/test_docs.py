"""The documents say what the code does: settings and their defaults, commands, links."""

import re

import msgspec
import pytest

from corral.__main__ import parser
from corral.up.plan import CLIENT_VARIABLES, UP_VARIABLES
from services.gateway.settings import Settings as GatewaySettings
from services.registry.settings import Settings as RegistrySettings
from services.worker.settings import Settings as WorkerSettings
from shared.ollama_environment import ROWS as OLLAMAS_ROWS
from shared.settings import Secret
from source import ROOT, documents, shown

SERVICES: dict[str, type[msgspec.Struct]] = {
    "gateway": GatewaySettings,
    "registry": RegistrySettings,
    "worker": WorkerSettings,
}
CONFIGURATION = ROOT / "docs" / "configuration.md"
ROW = re.compile(r"^\| `(?P<name>CORRAL_[A-Z_]+)` \| (?P<default>.*?) \| (?P<meaning>.+) \|$", re.MULTILINE)
VARIABLE = re.compile(r"\bCORRAL_[A-Z_]*[A-Z]\b")
COMPOSE_FILES = (*ROOT.glob("compose*.yaml"), ROOT / "deploy" / "worker-host" / "compose.yaml")
COMPOSE_VARIABLE = re.compile(r"\$\{(CORRAL_[A-Z_]+)(?::-([^}]*))?")
OLLAMAS_ROW = re.compile(r"^\| `(?P<name>OLLAMA_[A-Z_]+)` \| (?P<settings>.*?) \| .+ \|$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def shown_default(value: object) -> str:
    if isinstance(value, Secret):
        value = value.reveal()
    if value == "":
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def expected(service: str) -> dict[str, str]:
    defaults = msgspec.structs.asdict(SERVICES[service]())
    return {f"CORRAL_{service.upper()}_{name.upper()}": shown_default(value) for name, value in defaults.items()}


def compose_defaults() -> dict[str, str]:
    """What the Compose files read from .env, and what holds without it: nothing where it must be said."""
    used = [found for file in COMPOSE_FILES for found in COMPOSE_VARIABLE.findall(file.read_text(encoding="utf-8"))]
    services = tuple(f"CORRAL_{service.upper()}_" for service in SERVICES)
    return {name: default for name, default in sorted(used) if not name.startswith(services)}


def documented() -> dict[str, str]:
    return {row["name"]: row["default"] for row in ROW.finditer(CONFIGURATION.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_documented_with_its_default(service: str) -> None:
    prefix = f"CORRAL_{service.upper()}_"
    assert {name: text for name, text in documented().items() if name.startswith(prefix)} == expected(service)


def test_the_variables_of_local_mode_and_of_the_client_are_documented() -> None:
    prefixes = tuple(f"CORRAL_{service.upper()}_" for service in SERVICES)
    others = {name for name in documented() if not name.startswith(prefixes)}
    assert others == {*UP_VARIABLES, *CLIENT_VARIABLES, *compose_defaults()}


def test_the_variables_of_compose_are_documented_with_their_defaults() -> None:
    shown = documented()
    assert {name: shown.get(name) for name in compose_defaults()} == {
        name: f"`{default}`" if default else "unset" for name, default in compose_defaults().items()
    }


def test_ollamas_variables_are_documented_with_the_settings_they_mean() -> None:
    meant = {
        row.variable: [f"CORRAL_{service.upper()}_{field.upper()}" for service in row.services for field in row.fields]
        for row in OLLAMAS_ROWS
    }
    rows = OLLAMAS_ROW.finditer(CONFIGURATION.read_text(encoding="utf-8"))
    assert {row["name"]: VARIABLE.findall(row["settings"]) for row in rows} == meant


def test_no_document_names_a_variable_that_does_not_exist() -> None:
    own = {name for service in SERVICES for name in expected(service)}
    common = {f"CORRAL_{name.split('_', 2)[2]}" for name in own}
    files = {f"{name}_FILE" for name in own | common}
    known = own | common | files | {*UP_VARIABLES, *CLIENT_VARIABLES, *compose_defaults()}
    used = {(shown(path), name) for path in documents() for name in VARIABLE.findall(path.read_text(encoding="utf-8"))}
    assert {(path, name) for path, name in used if name not in known} == set()


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z0-9]+)\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"up", "test"} <= named <= targets


def test_every_command_in_the_readme_exists() -> None:
    commands = set(re.findall(r"^(?:\.venv/bin/)?corral ([a-z]+)", readme_code(), re.MULTILINE))
    assert commands
    known = parser().format_help()
    assert [command for command in commands if not re.search(rf"^    .*\b{command}\b", known, re.MULTILINE)] == []


def readme_code() -> str:
    blocks = re.findall(r"```\w*\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return "\n".join(blocks)


def test_relative_links_lead_somewhere() -> None:
    broken = [
        f"{shown(path)} -> {target}"
        for path in documents()
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in readme_code()
