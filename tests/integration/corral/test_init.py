"""`corral init` on a folder of its own, with the real openssl, and its results in the hands of those who read them."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis as redis_library

from corral.__main__ import main
from corral.site.secret_files import redis_password
from harness.valkey import server_binary
from source import ROOT

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    return tmp_path


def init(folder: Path, *options: str) -> int:
    return main(["init", "--folder", str(folder), *options])


def texts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tls(folder: Path) -> tuple[Path, Path]:
    return folder / "deploy/site/tls/certificate.pem", folder / "deploy/site/tls/key.pem"


def greeted_as(name: str, certificate: Path, key: Path) -> str:
    """What a TLS client that trusts only this certificate reads from a server that shows it."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate, key)
    client_context = ssl.create_default_context(cafile=str(certificate))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with server_context.wrap_socket(theirs, server_side=True) as stream:
            stream.sendall(b"hello")

    server = threading.Thread(target=serve)
    server.start()
    try:
        with client_context.wrap_socket(ours, server_hostname=name) as stream:
            return stream.recv(5).decode()
    finally:
        server.join(timeout=10)


def test_a_second_run_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(folder, "--server-name", "corral.test", "--https-port", "8443") == 0
    before = texts(folder)
    capsys.readouterr()
    assert init(folder) == 0
    assert texts(folder) == before
    said = capsys.readouterr().out
    assert "made" not in said
    assert f"kept {folder}/.env" in said


def test_the_folder_is_closed_and_the_files_in_it_are_open(folder: Path) -> None:
    init(folder, "--server-name", "corral.test")
    site = folder / "deploy/site"
    assert site.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in site.rglob("*") if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in site.rglob("*") if path.is_dir()} == {0o755}


def test_no_secret_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init(folder, "--server-name", "corral.test")
    said = capsys.readouterr().out
    secrets = [path.read_text().strip() for path in (folder / "deploy/site/secrets").iterdir()]
    assert len(secrets) == 9
    assert [text for text in secrets if text in said] == []


def test_clients_that_trust_the_certificate_reach_the_server_under_all_of_its_names(folder: Path) -> None:
    init(folder, "--server-name", "corral.test,ai")
    for name in ("corral.test", "ai", "localhost", "127.0.0.1"):
        assert greeted_as(name, *tls(folder)) == "hello"


def test_the_certificate_is_renewed_only_where_it_was_made_here(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(folder, "--server-name", "corral.test")
    first = tls(folder)[0].read_bytes()
    assert init(folder, "--renew-certificate") == 0
    assert tls(folder)[0].read_bytes() != first
    assert greeted_as("corral.test", *tls(folder)) == "hello"
    make_pair(tmp_path, "corral.test")
    for name, path in zip(("given.pem", "given.key"), tls(folder), strict=True):
        shutil.copy(tmp_path / name, path)
    given = tls(folder)[0].read_bytes()
    assert init(folder, "--renew-certificate") == 1
    assert "was not made by init" in capsys.readouterr().err
    assert tls(folder)[0].read_bytes() == given


def make_pair(folder: Path, name: str, *options: str) -> tuple[str, ...]:
    """A certificate of somebody else's making; gives the options that name it."""
    certificate, key = str(folder / "given.pem"), str(folder / "given.key")
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
    algorithm = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    command = ["openssl", "req", "-x509", *algorithm, *subject, "-keyout", key, "-out", certificate, *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return ("--certificate", certificate, "--key", key)


def test_a_given_certificate_is_taken(folder: Path, tmp_path: Path) -> None:
    assert init(folder, "--server-name", "corral.test", *make_pair(tmp_path, "corral.test")) == 0
    assert tls(folder)[0].read_bytes() == (tmp_path / "given.pem").read_bytes()
    assert greeted_as("corral.test", *tls(folder)) == "hello"


def other_name(folder: Path) -> tuple[str, ...]:
    return make_pair(folder, "other.test")


def expired(folder: Path) -> tuple[str, ...]:
    options = make_pair(folder, "corral.test")
    dates = ("-x509toreq", "-copy_extensions", "copy")
    request = folder / "request.pem"
    certificate, key = options[1], options[3]
    subprocess.run(
        ["openssl", "x509", *dates, "-in", certificate, "-signkey", key, "-out", str(request)], check=True, timeout=60
    )
    short = ("-days", "-1", "-copy_extensions", "copy")
    subprocess.run(
        ["openssl", "x509", "-req", "-in", str(request), "-signkey", key, "-out", certificate, *short],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return options


def others_key(folder: Path) -> tuple[str, ...]:
    make_pair(folder, "corral.test")
    (folder / "other").mkdir()
    options = make_pair(folder / "other", "corral.test")
    return (*options[:3], str(folder / "given.key"))


def no_pem(folder: Path) -> tuple[str, ...]:
    return ("--certificate", str(ROOT / "LICENSE"), "--key", str(ROOT / "LICENSE"))


def no_file(folder: Path) -> tuple[str, ...]:
    return ("--certificate", str(folder / "none"), "--key", str(folder / "none"))


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (other_name, "is not for corral.test"),
        (expired, "has expired"),
        (others_key, "is not the key of"),
        (no_pem, "is not the key of"),
        (no_file, "cannot read"),
    ],
)
def test_a_certificate_that_cannot_serve_is_refused(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pair: Callable[[Path], tuple[str, ...]],
    reason: str,
) -> None:
    assert init(folder, "--server-name", "corral.test", *pair(tmp_path)) == 1
    assert reason in capsys.readouterr().err
    assert not tls(folder)[0].exists()


def test_a_folder_without_compose_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path) == 1
    assert "there is no compose.yaml" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_openssl_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert init(folder, "--server-name", "corral.test") == 1
    assert "openssl: install it" in capsys.readouterr().err


def test_it_runs_where_only_python_is(folder: Path) -> None:
    command = [sys.executable, "-S", "-m", "corral", "init", "--server-name", "corral.test"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "cli")}
    subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder, env=environ)
    assert (folder / ".env").exists()


def test_redis_lets_in_who_has_the_address_and_nobody_else(folder: Path, tmp_path: Path) -> None:
    init(folder, "--server-name", "corral.test")
    secrets = folder / "deploy/site/secrets"
    path = tmp_path / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path))
    process = subprocess.Popen(
        [server_binary(), *options, "--aclfile", str(secrets / "redis_users.acl")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert any("ready to accept connections" in line.lower() for line in process.stdout)
        password = redis_password({"redis_url": (secrets / "redis_url").read_text()})
        with redis_library.Redis(unix_socket_path=str(path), password=password) as known:
            assert known.set("key", "value")
        stranger = redis_library.Redis(unix_socket_path=str(path))
        with stranger, pytest.raises(redis_library.exceptions.AuthenticationError):
            stranger.get("key")
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(timeout=10)


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_compose_reads_open_webuis_environment_as_it_was_written(folder: Path) -> None:
    init(folder, "--server-name", "corral.test")
    env_file = folder / "deploy/site/secrets/open-webui.env"
    (folder / "compose.yaml").write_text(f"services: {{x: {{image: x, env_file: [{env_file}]}}}}\n")
    command = ["docker", "compose", "-f", str(folder / "compose.yaml"), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 and "is not a docker command" in done.stderr:
        pytest.skip("docker has no Compose")
    written = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
    assert json.loads(done.stdout)["services"]["x"]["environment"] == written


def test_the_file_beside_compose_stays_as_private_as_it_was(folder: Path) -> None:
    dotenv = folder / ".env"
    dotenv.write_text("HF_TOKEN=secret\n")
    dotenv.chmod(0o640)
    init(folder, "--server-name", "corral.test")
    assert dotenv.stat().st_mode & 0o777 == 0o640
    assert dotenv.read_text().startswith("HF_TOKEN=secret\n")


def test_a_certificate_that_is_refused_leaves_nothing_made_with_its_name(folder: Path) -> None:
    bad = folder / "bad.pem"
    bad.write_text("no certificate")
    assert init(folder, "--server-name", "typo.test", "--certificate", str(bad), "--key", str(bad)) == 1
    init(folder, "--server-name", "right.test")
    assert "right.test" in (folder / "deploy/site/secrets/worker_redis_url").read_text()
