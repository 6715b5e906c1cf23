"""Where the peer is kept, and under which name."""

from pathlib import Path

from bench.peer import BINARY, LOCK, PACKAGE, build_key, cache_root, ensure_peer, pinned_version
from tools.build_wheel import cmake_args


def test_the_cache_follows_the_users_choice() -> None:
    assert cache_root({"XDG_CACHE_HOME": "/x"}) == Path("/x/corral/peer")
    assert cache_root({}) == Path.home() / ".cache" / "corral" / "peer"


def test_a_build_is_kept_under_everything_that_decides_what_it_is() -> None:
    key = build_key("pin", "-DA=1", "x86_64")
    assert key == build_key("pin", "-DA=1", "x86_64")
    assert len({key, build_key("pin2", "-DA=1", "x86_64"), build_key("pin", "-DA=2", "x86_64")}) == 3
    assert key != build_key("pin", "-DA=1", "aarch64")


def test_the_pin_names_one_version_with_its_hash() -> None:
    name, _, version = pinned_version().partition("==")
    assert (name, version.replace(".", "").isdecimal()) == (PACKAGE, True)
    assert "--hash=sha256:" in LOCK.read_text(encoding="utf-8")


def test_a_peer_in_the_cache_is_not_built_again(tmp_path: Path) -> None:
    import platform

    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    key = build_key(LOCK.read_text(encoding="utf-8"), cmake_args(environ), platform.machine())
    binary = cache_root(environ) / key / BINARY
    binary.parent.mkdir(parents=True)
    binary.write_bytes(b"")
    assert ensure_peer(environ) == binary
