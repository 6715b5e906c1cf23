"""The configuration as nginx reads it, and rules that it is written by."""

import re
from pathlib import Path

import pytest

from integration.nginx import configuration
from integration.nginx.configuration import Block
from integration.nginx.front_door import CONFIG, TEMPLATE, VARIABLE, FrontDoor, defaults
from services.gateway.settings import Settings
from source import ROOT

TABLE_ROW = re.compile(r"^\| `(EDGE_[A-Z_]+)` \| `(.+?)` \|", re.MULTILINE)
NEWER_SPELLING = '"listen ... http2" directive is deprecated'
"""What nginx 1.25 and later say about the one spelling of HTTP/2 that 1.22 knows."""

INHERITED_WHOLE = ("add_header", "proxy_set_header", "error_page")
"""A block that has one of its own loses all that stand around it."""


@pytest.fixture
async def config(tmp_path: Path) -> Block:
    """All of it, rendered."""
    await FrontDoor(tmp_path).checked()
    return configuration.read(tmp_path / "nginx.conf", tmp_path)


def proxying(config: Block) -> list[tuple[str, Block]]:
    """The locations that pass requests on, by their full name."""
    return [(str(directive), block) for directive, block in config.blocks() if block.named("proxy_pass")]


async def test_nginx_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    status, said = await FrontDoor(tmp_path).checked()
    assert status == 0, said
    assert [line for line in said.splitlines() if "[" in line and NEWER_SPELLING not in line] == []


async def test_the_reader_of_these_rules_sees_the_whole_configuration(config: Block) -> None:
    (http,) = [block for directive, block in config.blocks() if directive.name == "http"]
    assert len(http.named("server")) == 4
    assert len(proxying(config)) == 10
    assert [str(directive) for directive in http.named("ssl_protocols")] == ["ssl_protocols TLSv1.2 TLSv1.3"]


async def test_no_file_is_served(config: Block) -> None:
    """So no path can lead out of a folder."""
    assert [str(directive) for directive in config.all() if directive.name in ("alias", "root", "try_files")] == []


async def test_requests_go_only_where_the_operator_said(config: Block) -> None:
    """The name behind proxy_pass is a variable with constant values, and the path is the client's, unchanged."""
    constants: dict[str, list[str]] = {}
    for directive in config.all():
        if directive.name == "set":
            constants.setdefault(directive.arguments[0], []).append(directive.arguments[1])
        if directive.name == "map" and directive.block is not None:
            values = [line.arguments[0] for line in directive.block.directives]
            constants.setdefault(directive.arguments[1], []).extend(values)
    for name, block in proxying(config):
        (target,) = block.named("proxy_pass")
        scheme, variable = target.arguments[0].split("://")
        assert scheme == "http", name
        assert constants[variable], name
        assert not any("$" in value for value in constants[variable]), name


async def test_redirects_keep_line_breaks_of_a_decoded_path_out(config: Block) -> None:
    """`$uri` is decoded and may hold them; `$request_uri` is as it came."""
    said = [argument for line in config.all() if line.name in ("return", "add_header") for argument in line.arguments]
    assert said
    assert [argument for argument in said if re.search(r"\$(document_)?uri\b|\$http_|\$arg", argument)] == []


async def test_no_block_loses_what_stands_around_it(config: Block) -> None:
    def check(block: Block, around: dict[str, set[str]]) -> None:
        here = {}
        for name in INHERITED_WHOLE:
            own = {str(directive) for directive in block.named(name)}
            assert not own or around[name] <= own, (name, own, around[name])
            here[name] = own or around[name]
        for directive in block.directives:
            if directive.block is not None:
                check(directive.block, here)

    check(config, {name: set() for name in INHERITED_WHOLE})


async def test_every_way_to_the_gateway_is_limited(config: Block) -> None:
    """But the one that only continues what was already counted."""
    unlimited = [
        name
        for name, block in proxying(config)
        if block.named("proxy_pass")[0].arguments[0] not in ("http://$ui", "http://$grafana")
        and not block.named("limit_req")
    ]
    assert unlimited == ["location @gateway"]


async def test_nginx_waits_longer_than_the_longest_generation(config: Block) -> None:
    waits = {
        line.name: line.arguments[0]
        for line in config.all()
        if line.name in ("proxy_read_timeout", "worker_shutdown_timeout")
    }
    assert waits.keys() == {"proxy_read_timeout", "worker_shutdown_timeout"}
    assert all(float(wait.removesuffix("s")) > Settings().generation_deadline_s for wait in waits.values()), waits


async def test_conditions_and_loose_patterns_are_not_used(config: Block) -> None:
    patterns = [
        directive.arguments[-1]
        for directive, _ in config.blocks()
        if directive.name == "location" and directive.arguments[0] in ("~", "~*")
    ]
    assert patterns
    assert all(pattern.startswith("^") for pattern in patterns)
    assert [directive for directive in config.all() if directive.name in ("if", "rewrite")] == []


def test_every_variable_has_a_value_a_use_and_an_explanation() -> None:
    used = set(VARIABLE.findall(TEMPLATE.read_text(encoding="utf-8")))
    explained = dict(TABLE_ROW.findall((ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")))
    assert used == set(defaults())
    assert explained == defaults()


def test_only_the_template_has_variables() -> None:
    others = (CONFIG / "nginx.conf", *(CONFIG / "corral").iterdir())
    assert [path.name for path in others if "EDGE_" in path.read_text(encoding="utf-8")] == []
