"""What `corral up` refuses before it starts anything."""

import os
import socket
import stat
from pathlib import Path

import pytest

from corral.errors import CliError
from corral.up.bundled import model_file, valkey_binary
from corral.up.command import exclusive, free_ports, private_folder, require_free


def test_a_port_in_use_is_refused_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CliError, match=rf"port {port} is already in use .* CORRAL_PORT="):
            require_free(port)
    require_free(port)


def test_one_data_folder_serves_one_cluster(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(CliError, match="already runs"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass


def test_the_socket_folder_is_private_and_goes_away(tmp_path: Path) -> None:
    with exclusive(tmp_path) as lock, private_folder(lock) as folder:
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
        Path(folder, "redis.sock").touch()
    assert not Path(folder).exists()


def test_what_a_killed_supervisor_left_behind_is_removed_by_the_next(tmp_path: Path) -> None:
    with exclusive(tmp_path) as lock, private_folder(lock) as left:
        pass
    Path(left).mkdir()
    with exclusive(tmp_path) as lock, private_folder(lock):
        assert not Path(left).exists()


def test_a_lock_file_with_something_else_in_it_removes_nothing(tmp_path: Path) -> None:
    precious = tmp_path / "corral-precious"
    precious.mkdir()
    (tmp_path / "lock").write_text(str(precious))
    with exclusive(tmp_path) as lock, private_folder(lock):
        assert precious.exists()


def test_free_ports_differ() -> None:
    assert len(set(free_ports(8))) == 8


def test_the_bundled_parts_are_installed() -> None:
    model = model_file()
    assert model is not None
    with model.open("rb") as file:
        assert file.read(4) == b"GGUF"
    assert os.access(valkey_binary(), os.X_OK)
