"""`corral keys add-ssh`: which files are sent, and what is said afterwards."""

import json
from pathlib import Path

import httpx
import pytest

from corral.__main__ import parser
from corral.client import Client
from corral.commands.keys import public_key
from corral.errors import CliError

LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA ollama@laptop"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "id_ed25519.pub"


def test_the_public_key_is_registered_under_its_name_and_role(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(LINE + "\n")
    asked: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"id": "k1", "name": "laptop", "role": "admin", "fingerprint": "SHA256:abc"})

    arguments = parser().parse_args(["keys", "add-ssh", "laptop", "--role", "admin", str(file)])
    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(answer)) as client:
        arguments.run(arguments, client)
    assert asked == [("POST", "/api/keys", {"name": "laptop", "role": "admin", "ssh_public_key": LINE})]
    assert capsys.readouterr().out == "added 'laptop' with the key SHA256:abc\n"


def test_a_private_key_never_leaves_the_machine(file: Path) -> None:
    file.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n-----END OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(CliError, match="is the private key") as refused:
        public_key(file)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", LINE + "\n" + LINE, "ssh-ed25519 " + "A" * 2000, "hello"])
def test_a_file_that_is_no_ed25519_public_key_is_not_sent(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(CliError, match="is not an ed25519 public key"):
        public_key(file)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(CliError, match="No such file or directory"):
        public_key(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CliError, match="not a text file"):
        public_key(file)


@pytest.mark.parametrize(("flags", "summarizes"), [([], {}), (["--summarize"], {"summarize": True})])
def test_a_key_summarizes_when_it_is_told_to(
    flags: list[str], summarizes: dict[str, bool], capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, json={"key": "corral_abc"})

    arguments = parser().parse_args(["keys", "create", "ada", *flags])
    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(answer)) as client:
        arguments.run(arguments, client)
    assert asked == [{"name": "ada", "role": "user", **summarizes}]
    assert capsys.readouterr().out == "corral_abc\n"
