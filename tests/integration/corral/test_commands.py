"""The commands over a real HTTP server that answers as a cluster does."""

import asyncio
import hashlib
import io
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from corral.__main__ import main
from corral.client import Client
from corral.commands import conversation, transfers
from fakes.cluster import Cluster


@pytest.fixture
async def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
async def address(cluster: Cluster) -> AsyncIterator[str]:
    async with TestServer(cluster.app()) as server:
        yield str(server.make_url("")).rstrip("/")


Corral = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def corral(address: str, run_corral: Corral) -> Corral:
    """Runs the command line against the cluster; returns exit code, stdout and stderr."""

    async def run(*arguments: str, piped: str | bytes = "") -> tuple[int, str, str]:
        return await run_corral(address, *arguments, piped=piped)

    return run


async def test_list_shows_a_table_and_the_key_goes_along(corral: Corral, cluster: Cluster) -> None:
    code, out, _ = await corral("list")
    header, row = out.splitlines()
    assert code == 0
    assert header.split() == ["NAME", "ID", "SIZE", "MODIFIED"]
    assert row.split()[:4] == ["smollm2:135m", "0123456789ab", "98", "MB"]
    assert row.rstrip().endswith("years ago")
    assert header.index("SIZE") == row.index("98 MB")
    assert cluster.authorization == "Bearer corral_mine"


async def test_list_can_be_narrowed_by_a_prefix(corral: Corral) -> None:
    assert len((await corral("ls", "SMOL"))[1].splitlines()) == 2
    assert len((await corral("ls", "llama"))[1].splitlines()) == 1


async def test_ps_shows_where_a_model_is_and_until_when(corral: Corral) -> None:
    _, out, _ = await corral("ps")
    assert out.splitlines()[1].split() == ["smollm2:135m", "0123456789ab", "98", "MB", "100%", "CPU", "4096", "Forever"]


async def test_smoke_sums_up_every_model_and_tells_what_went_wrong_with_one(corral: Corral, cluster: Cluster) -> None:
    header, row = (await corral("smoke"))[1].splitlines()
    assert header.split() == ["NAME", "LAST", "RESULT", "P50", "P95", "FAILED", "LATELY"]
    assert row.split()[-9:] == ["failed", "0.25", "s", "0.25", "s", "1", "of", "2", "█x"]
    code, out, _ = await corral("smoke", "team/bot:7b")
    assert code == 0
    assert out.splitlines()[1].startswith("team/bot:7b")
    assert out.splitlines()[-1].split()[-3:] == ["failed", "w2", "internal"]


async def test_run_streams_the_reply_to_what_was_piped_and_typed(corral: Corral, cluster: Cluster) -> None:
    code, out, err = await corral("run", "smollm2:135m", "sum", "up", "--verbose", piped="text")
    assert (code, out) == (0, "Hello\n\n")
    assert "eval count:           2 token(s)" in err
    assert cluster.asked == [
        ("POST", "/api/show", {"model": "smollm2:135m"}),
        ("POST", "/api/generate", {"model": "smollm2:135m", "prompt": "text sum up"}),
    ]


@pytest.mark.parametrize(("flag", "think"), [("--think", True), ("--think=low", "low")])
async def test_run_tells_thoughts_apart_from_what_a_program_reads(
    corral: Corral, cluster: Cluster, flag: str, think: object
) -> None:
    code, out, err = await corral("run", "smollm2:135m", flag, piped="why?")
    assert (code, out) == (0, "Hello\n\n")
    assert err == "Thinking...\nLet me see.\n...done thinking.\n\n"
    assert cluster.asked[-1][2]["think"] == think
    assert (await corral("run", "smollm2:135m", flag, "--hidethinking", piped="why?"))[2] == ""


async def test_run_sends_the_pictures_that_a_prompt_names_to_a_model_that_sees(
    corral: Corral, cluster: Cluster, tmp_path: Path
) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"picture")
    prompt = f"What is on {picture}?"
    await corral("run", "smollm2:135m", piped=prompt)
    assert cluster.asked[-1][2]["prompt"] == prompt
    cluster.capabilities = ["completion", "vision"]
    await corral("run", "smollm2:135m", piped=f"What is on '{picture}' ?")
    assert cluster.asked[-1][2]["prompt"] == "What is on  ?"
    assert cluster.asked[-1][2]["images"] == ["cGljdHVyZQ=="]


async def test_what_is_piped_in_need_not_be_utf_8(corral: Corral, cluster: Cluster) -> None:
    assert (await corral("run", "smollm2:135m", piped=b"caf\xe9"))[0] == 0
    assert cluster.asked[-1][2]["prompt"] == "caf\ufffd"


async def test_a_reader_that_left_ends_the_command_quietly(address: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    # Empty means buffered: what is lost is only noticed when the buffer is written out.
    environ = {**os.environ, "CORRAL_HOST": address, "PYTHONUNBUFFERED": ""}
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "corral", "list", env=environ, stdout=writing, stderr=asyncio.subprocess.PIPE
        )
    finally:
        os.close(writing)
    _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")


async def test_a_refusal_is_told_on_stderr_with_exit_code_1(corral: Corral) -> None:
    assert await corral("run", "absent", "hi") == (1, "", "Error: model 'absent' not found\n")
    assert await corral("stop", "absent") == (1, "", 'Error: couldn\'t find model "absent" to stop\n')


async def test_an_unreachable_cluster_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unused_tcp_port: int
) -> None:
    monkeypatch.setenv("CORRAL_HOST", f"127.0.0.1:{unused_tcp_port}")
    assert await asyncio.to_thread(main, ["list"]) == 1
    assert f"could not connect to Corral at http://127.0.0.1:{unused_tcp_port}" in capsys.readouterr().err


async def test_cp_and_rm_say_what_they_did(corral: Corral, cluster: Cluster) -> None:
    assert (await corral("cp", "a", "b"))[1] == "copied 'a' to 'b'\n"
    assert (await corral("rm", "a", "b"))[1] == "deleted 'a'\ndeleted 'b'\n"
    assert cluster.asked[0] == ("POST", "/api/copy", {"source": "a", "destination": "b"})
    assert cluster.asked[1:] == [("DELETE", "/api/delete", {"model": name}) for name in ("a", "b")]


async def test_create_uploads_the_weights_once_and_sends_the_recipe(
    corral: Corral, cluster: Cluster, tmp_path: Path
) -> None:
    weights = b"GGUF" + bytes(3_000_000)
    digest = "sha256:" + hashlib.sha256(weights).hexdigest()
    (tmp_path / "w.gguf").write_bytes(weights)
    (tmp_path / "Modelfile").write_text("FROM ./w.gguf\nSYSTEM be kind\nPARAMETER seed 1\nPARAMETER mirostat 1\n")
    code, _, err = await corral("create", "bot", "-f", str(tmp_path / "Modelfile"))
    assert code == 0
    assert cluster.blobs == {digest: weights}
    expected = {"model": "bot", "system": "be kind", "parameters": {"seed": 1}, "files": {"w.gguf": digest}}
    assert cluster.asked == [("POST", "/api/create", expected)]
    assert err.splitlines() == [
        "Warning: parameter mirostat is deprecated and was left out",
        "hashing w.gguf",
        "uploading w.gguf",
        "parsing GGUF",
        "success",
    ]
    _, _, again = await corral("create", "bot", "-f", str(tmp_path / "Modelfile"))
    assert "uploading" not in again


async def test_create_sends_a_model_of_the_server_with_what_else_is_asked(
    corral: Corral, cluster: Cluster, tmp_path: Path
) -> None:
    base = f"llama3@sha256:{'0' * 64}"
    (tmp_path / "a.gguf").write_bytes(b"GGUF adapter")
    (tmp_path / "Modelfile").write_text(f"FROM {base}\nADAPTER ./a.gguf\nRENDERER r\nPARSER p\nREQUIRES v0.14.0\n")
    code, _, _ = await corral("create", "bot", "-q", "Q8_0", "-f", str(tmp_path / "Modelfile"))
    digest = "sha256:" + hashlib.sha256(b"GGUF adapter").hexdigest()
    expected = {"model": "bot", "from": base, "adapters": {"a.gguf": digest}, "renderer": "r", "parser": "p"}
    assert code == 0
    assert cluster.asked == [("POST", "/api/create", {**expected, "requires": "0.14.0", "quantize": "Q8_0"})]
    assert list(cluster.blobs) == [digest]


async def test_create_without_a_modelfile_takes_the_folder_it_is_in(
    corral: Corral, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert (await corral("create", "bot"))[0] == 0
    assert sorted(cluster.asked[-1][2]["files"]) == ["config.json", "model.safetensors"]
    assert len(cluster.blobs) == 2


async def test_pull_and_push_show_each_step_once(corral: Corral, cluster: Cluster) -> None:
    code, out, err = await corral("pull", "llama3", "--insecure")
    assert (code, out) == (0, "")
    assert err.splitlines() == ["pulling manifest", "pulling 0123456789ab", "verifying sha256 digest", "success"]
    assert (await corral("push", "team/bot"))[2].splitlines() == [
        "retrieving manifest",
        "pushing 0123456789ab",
        "success",
    ]
    assert cluster.asked == [
        ("POST", "/api/pull", {"model": "llama3", "insecure": True}),
        ("POST", "/api/push", {"model": "team/bot", "insecure": False}),
    ]


async def test_a_pull_that_fails_says_why(corral: Corral) -> None:
    code, _, err = await corral("pull", "broken")
    assert (code, err.splitlines()) == (1, ["pulling manifest", "Error: pull model manifest: file does not exist"])


async def test_ctrl_c_leaves_the_pull_running_and_says_so(
    corral: Corral, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transfers, "show_event", interrupted)
    code, _, err = await corral("pull", "llama3")
    assert code == 130
    assert "The pull of llama3 goes on in the cluster." in err
    assert "'corral cancel llama3' ends it" in err
    assert [method for method, _, _ in cluster.asked] == ["POST"]


async def test_run_pulls_a_model_that_is_absent(corral: Corral, cluster: Cluster) -> None:
    cluster.unknown = {"llama3"}
    code, out, err = await corral("run", "llama3", "hi")
    assert (code, out) == (0, "Hello\n\n")
    assert err.splitlines()[0] == "pulling manifest"
    assert [path for _, path, _ in cluster.asked] == ["/api/show", "/api/pull", "/api/show", "/api/generate"]


async def test_who_may_not_pull_is_told_that_the_model_is_absent(corral: Corral, cluster: Cluster) -> None:
    cluster.unknown, cluster.pulls_are_refused = {"llama3"}, True
    assert await corral("run", "llama3", "hi") == (1, "", "Error: model 'llama3' not found\n")


async def test_transfers_are_listed_and_cancelled_by_name_or_id(corral: Corral, cluster: Cluster) -> None:
    header, row = (await corral("transfers"))[1].splitlines()
    assert header.split() == ["ID", "KIND", "MODEL", "STATUS", "DONE"]
    assert row.split() == ["t1", "pull", "llama3:latest", "pulling", "0123456789ab", "40", "%", "of", "2", "GB"]
    for name in ("t1", "llama3", "LLAMA3:latest"):
        assert (await corral("cancel", name))[:2] == (0, "cancelled the pull of 'llama3:latest'\n")
        assert cluster.asked[-1][:2] == ("DELETE", "/api/transfers/t1")
    assert await corral("cancel", "other") == (1, "", "Error: no transfer of 'other' is under way\n")


async def test_show_prints_a_part_or_everything(corral: Corral, cluster: Cluster) -> None:
    assert (await corral("show", "smollm2:135m", "--system"))[1] == "Be kind.\n"
    assert (await corral("show", "smollm2:135m", "--license"))[2] == "Error: model 'smollm2:135m' has no license\n"
    assert "Tensors" in (await corral("show", "smollm2:135m", "-v"))[1]
    assert cluster.asked[-1] == ("POST", "/api/show", {"model": "smollm2:135m", "verbose": True})


async def test_a_failure_inside_the_stream_is_a_failure(corral: Corral, tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM base")
    code, _, err = await corral("create", "broken", "-f", str(tmp_path / "Modelfile"))
    assert (code, err.splitlines()[-1]) == (1, "Error: disk full")


async def test_a_modelfile_that_is_missing_or_wrong_never_reaches_the_server(
    corral: Corral, cluster: Cluster, tmp_path: Path
) -> None:
    code, _, err = await corral("create", "bot", "-f", str(tmp_path / "nothing"))
    assert (code, err) == (1, f"Error: cannot read {tmp_path / 'nothing'}: No such file or directory\n")
    (tmp_path / "Modelfile").write_text("SYSTEM hello")
    assert (await corral("create", "bot", "-f", str(tmp_path / "Modelfile")))[2] == "Error: no FROM line\n"
    assert cluster.asked == []


async def test_keys_are_created_listed_and_revoked(corral: Corral, cluster: Cluster) -> None:
    assert (await corral("keys", "create", "ada", "--role", "admin"))[1] == "corral_secret\n"
    assert (await corral("keys", "list"))[1].splitlines()[1].split()[:3] == ["k1", "ada", "admin"]
    assert (await corral("keys", "revoke", "k1"))[1] == "revoked 'k1'\n"
    assert cluster.asked[0] == ("POST", "/api/keys", {"name": "ada", "role": "admin"})
    assert cluster.asked[-1][:2] == ("DELETE", "/api/keys/k1")


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    """What the user types at the prompt, line after line, and then Ctrl-D."""
    waiting = iter(lines)

    def read(_prompt: str = "") -> str:
        line = next(waiting, EOFError)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", read)


async def converse(address: str) -> None:
    def hold() -> None:
        with Client(address) as client:
            conversation.hold(client, {"model": "smollm2:135m"}, takes_files=False, verbose=False, thoughts=sys.stdout)

    await asyncio.to_thread(hold)


async def test_a_conversation_remembers_what_was_said(
    address: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "Hi", '"""two', 'lines"""', "", "/bye", "never read")
    await converse(address)
    first = {"role": "user", "content": "Hi"}
    reply = {"role": "assistant", "content": "Hello"}
    assert [body["messages"] for _, path, body in cluster.asked if path == "/api/chat"] == [
        [first],
        [first, reply, {"role": "user", "content": "two\nlines"}],
    ]
    assert capsys.readouterr().out.count("Hello") == 2


async def test_a_conversation_can_be_cleared_and_survives_ctrl_c_and_unknown_commands(
    address: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "Hi", "/clear", KeyboardInterrupt, "/dance", "Again")
    await converse(address)
    chats = [body["messages"] for _, path, body in cluster.asked if path == "/api/chat"]
    assert chats[-1] == [{"role": "user", "content": "Again"}]
    assert "Unknown command '/dance'. Type /? for help" in capsys.readouterr().out


async def test_ctrl_c_ends_the_reply_and_keeps_what_came(
    address: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "Hi", "Again")
    pieces: list[str] = []

    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            if len(pieces) == 2:
                raise KeyboardInterrupt
            return super().write(text)

    def hold() -> None:
        with Client(address) as client:
            conversation.hold(client, {"model": "smollm2:135m"}, takes_files=False, verbose=False, thoughts=sys.stdout)

    monkeypatch.setattr("sys.stdout", Interrupting())
    await asyncio.to_thread(hold)
    chats = [body["messages"] for _, path, body in cluster.asked if path == "/api/chat"]
    assert chats[1][1] == {"role": "assistant", "content": "Hello"}
