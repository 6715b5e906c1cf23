"""What the measured servers are given: the same shape, and nothing of the user's own cluster."""

from pathlib import Path

import pytest

from bench.servers import Shape, corral_environ, peer_flags, process_name

SHAPE = Shape(slots=4, context_tokens=2048, threads=2)


def value_of(flags: list[str], name: str) -> str:
    return flags[flags.index(name) + 1]


def test_the_peer_gets_as_many_slots_of_the_same_size() -> None:
    for flags in peer_flags(SHAPE).values():
        assert value_of(flags, "--parallel") == "4"
        assert value_of(flags, "--ctx-size") == str(4 * 2048)
        assert value_of(flags, "--threads") == "2"


def test_the_matched_peer_computes_as_corral_does_and_the_other_as_it_likes() -> None:
    matched, defaults = peer_flags(SHAPE).values()
    assert value_of(matched, "--flash-attn") == "off"
    assert "--no-kv-unified" in matched
    assert not {"--flash-attn", "--no-kv-unified", "--cache-ram"} & set(defaults)


def test_no_setting_of_the_users_own_cluster_reaches_the_measured_one(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "CORRAL_REDIS_URL": "redis://production", "CORRAL_HOME": "/srv"}
    given = corral_environ(environ, SHAPE, home=tmp_path, port=5000)
    assert "CORRAL_REDIS_URL" not in given
    assert given["CORRAL_HOME"] == str(tmp_path)
    assert given["PATH"] == "/bin"
    assert given["CORRAL_WORKER_NUM_PARALLEL"] == "4"


@pytest.mark.parametrize(
    ("command", "binary", "name"),
    [
        (["/usr/bin/python", "-m", "services.gateway"], "python3.11", "services.gateway"),
        (["/usr/bin/python", "script.py"], "python3.11", "python3.11"),
        (["valkey-server unixsocket:/tmp/x/redis.sock"], "valkey-server", "valkey-server"),
        (["/opt/llama-server", "-m", "weights.gguf"], "llama-server", "llama-server"),
        ([], "zombie", "zombie"),
    ],
)
def test_a_process_is_named_by_what_it_runs(command: list[str], binary: str, name: str) -> None:
    assert process_name(command, binary) == name
