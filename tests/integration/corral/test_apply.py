"""`corral apply` against a real registry: what it makes, what it says, and that a second time nothing is left to do."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from corral.apply.record import ANNOTATION
from fakes.gguf_files import tiny_model, typed
from harness.registry import running_registry

Corral = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def address(redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_registry(redis_url, tmp_path / "store") as address:
        yield address


@pytest.fixture
def corral(address: str, run_corral: Corral) -> Corral:
    async def run(*arguments: str) -> tuple[int, str, str]:
        return await run_corral(address, *arguments)

    return run


@pytest.fixture
async def http(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        yield http


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models: one from a file, and one that begins with it."""
    folder = tmp_path / "models"
    (folder / "team").mkdir(parents=True)
    (folder / "tiny.gguf").write_bytes(tiny_model())
    (folder / "Modelfile.base@1").write_text("FROM ./tiny.gguf\nPARAMETER temperature 0.5\nLICENSE MIT\n")
    (folder / "team" / "bot.modelfile").write_text("FROM base:1\nSYSTEM Be kind.\nMESSAGE user hi\n")
    return folder


async def shown(http: httpx.AsyncClient, model: str) -> dict[str, Any]:
    reply = await http.post("/api/show", json={"model": model})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def models(http: httpx.AsyncClient) -> dict[str, tuple[str, str]]:
    """Every model's ID and when it was written."""
    listed = (await http.get("/api/tags")).json()["models"]
    return {model["name"]: (model["digest"], model["modified_at"]) for model in listed}


async def test_a_folder_becomes_models_in_the_order_they_need(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    code, out, err = await corral("apply", str(folder))
    assert code == 0, err
    assert out.splitlines() == [
        "+ base:1 (Modelfile.base@1) create",
        "+ team/bot:latest (team/bot.modelfile) create",
        "2 to create, 0 to change, 0 unchanged",
    ]
    bot = await shown(http, "team/bot")
    assert (bot["system"], bot["license"], bot["details"]["parent_model"]) == ("Be kind.", "MIT", "base:1")
    assert bot["messages"] == [{"role": "user", "content": "hi"}]
    assert bot["parameters"].split() == ["temperature", "0.5"]


async def test_a_second_time_nothing_changes(corral: Corral, folder: Path, http: httpx.AsyncClient) -> None:
    await corral("apply", str(folder))
    before = await models(http)
    code, out, err = await corral("apply", str(folder))
    assert (code, err) == (0, "hashing tiny.gguf\n")
    assert out.splitlines()[-1] == "0 to create, 0 to change, 2 unchanged"
    assert await models(http) == before
    assert (await corral("apply", str(folder), "--check"))[0] == 0


async def test_check_changes_nothing_and_fails_when_something_would(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    code, _, err = await corral("apply", str(folder), "--check")
    assert (code, err.splitlines()[-1]) == (1, "Error: 2 models would change")
    assert await models(http) == {}


async def test_a_changed_line_is_shown_and_applied_to_what_depends_on_it(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    await corral("apply", str(folder))
    before = await models(http)
    (folder / "Modelfile.base@1").write_text("FROM ./tiny.gguf\n# warmer\nPARAMETER temperature 0.7\nLICENSE MIT\n")
    code, out, _ = await corral("apply", str(folder))
    assert code == 0
    assert out.splitlines() == [
        "~ base:1 (Modelfile.base@1) change: its Modelfile has changed",
        "    --- base:1 (now)",
        "    +++ Modelfile.base@1",
        "    @@ -1,3 +1,3 @@",
        "     FROM ./tiny.gguf",
        "    -PARAMETER temperature 0.5",
        "    +PARAMETER temperature 0.7",
        "     LICENSE MIT",
        "~ team/bot:latest (team/bot.modelfile) change: base:1, which it is made from, changes too",
        "0 to create, 2 to change, 0 unchanged",
    ]
    assert (await shown(http, "team/bot"))["parameters"].split() == ["temperature", "0.7"]
    after = await models(http)
    assert all(after[name][0] != before[name][0] for name in before)
    assert (await corral("apply", str(folder), "--check"))[0] == 0


async def test_a_comment_and_the_order_of_instructions_are_no_change(corral: Corral, folder: Path) -> None:
    await corral("apply", str(folder))
    (folder / "team" / "bot.modelfile").write_text(
        '# kinder\nMESSAGE user "hi"\nsystem """Be kind."""\n\nFROM base:1\n'
    )
    assert (await corral("apply", str(folder), "--check"))[0] == 0


async def test_other_weights_are_a_change(corral: Corral, folder: Path, http: httpx.AsyncClient) -> None:
    await corral("apply", str(folder))
    (folder / "tiny.gguf").write_bytes(tiny_model(llama__context_length=typed("u32", 1024)))
    _, out, _ = await corral("apply", str(folder))
    assert "~ base:1 (Modelfile.base@1) change: its files have changed" in out
    assert (await shown(http, "team/bot"))["model_info"]["llama.context_length"] == 1024
    assert (await corral("apply", str(folder), "--check"))[0] == 0


async def test_a_base_that_changed_behind_the_folders_back_is_a_change(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    await corral("apply", str(folder))
    (folder / "Modelfile.base@1").unlink()
    assert (await corral("apply", str(folder), "--check"))[0] == 0
    reply = await http.post("/api/create", json={"model": "base:1", "from": "base:1", "parameters": {"seed": 1}})
    assert reply.status_code == 200
    code, out, _ = await corral("apply", str(folder), "--check")
    assert code == 1
    assert (
        out.splitlines()[0]
        == "~ team/bot:latest (team/bot.modelfile) change: base:1, which it is made from, has changed"
    )
    await corral("apply", str(folder))
    assert "seed" in (await shown(http, "team/bot"))["parameters"]


async def test_a_model_that_somebody_made_by_hand_is_replaced_and_its_difference_shown(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    await corral("apply", str(folder))
    await http.post("/api/create", json={"model": "team/bot", "from": "base:1", "system": "Be rude."})
    code, out, _ = await corral("apply", str(folder))
    assert code == 0
    assert "~ team/bot:latest (team/bot.modelfile) change: the model there was not made by 'corral apply'" in out
    assert "    -SYSTEM Be rude." in out.splitlines()
    assert "    +SYSTEM Be kind." in out.splitlines()
    assert (await shown(http, "team/bot"))["system"] == "Be kind."


async def test_a_manifest_that_somebody_edited_is_noticed(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    await corral("apply", str(folder))
    path = "/v2/team/bot/manifests/latest"
    manifest = (await http.get(path)).json()
    manifest["layers"] = [layer for layer in manifest["layers"] if not layer["mediaType"].endswith(".messages")]
    assert ANNOTATION in manifest["annotations"]
    assert (await http.put(path, content=json.dumps(manifest))).status_code == 201
    _, out, _ = await corral("apply", str(folder))
    assert "change: the model was changed since it was applied" in out
    assert (await shown(http, "team/bot"))["messages"] == [{"role": "user", "content": "hi"}]


async def test_a_copy_of_an_applied_model_is_not_in_the_folder_and_is_left_alone(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    await corral("apply", str(folder))
    await corral("cp", "team/bot", "mine")
    before = await models(http)
    await corral("apply", str(folder))
    assert await models(http) == before


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("Modelfile.bad", "FROM base:1\nBOGUS x\n", "! Modelfile.bad: (line 2): command must be one of"),
        ("Modelfile.bad", "FROM base:1\nADAPTER nothing.gguf\n", "! Modelfile.bad: ADAPTER nothing.gguf: no such file"),
        ("Modelfile", "FROM base:1\n", "! Modelfile: its file name does not say which model it is"),
        ("Modelfile.bad", "FROM base:1\nPARAMETER seed x\n", "! Modelfile.bad: invalid int value [x]"),
    ],
)
async def test_a_wrong_modelfile_keeps_everything_as_it_is(
    name: str, text: str, why: str, corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    (folder / name).write_text(text)
    code, out, err = await corral("apply", str(folder))
    assert (code, err.splitlines()[-1]) == (1, "Error: 1 Modelfile cannot be applied; nothing was changed")
    assert why in out
    assert await models(http) == {}


async def test_what_the_server_refuses_ends_the_command(corral: Corral, folder: Path, http: httpx.AsyncClient) -> None:
    (folder / "team" / "bot.modelfile").write_text("FROM base:1\nTEMPLATE {{ if }}\n")
    code, _, err = await corral("apply", str(folder))
    assert code == 1
    assert "template" in err.splitlines()[-1]
    assert list(await models(http)) == ["base:1"]


async def test_a_pinned_base_is_used_and_a_pin_that_moved_is_refused(
    corral: Corral, folder: Path, http: httpx.AsyncClient
) -> None:
    await corral("apply", str(folder))
    pin = (await models(http))["base:1"][0]
    (folder / "team" / "bot.modelfile").write_text(f"FROM base:1@sha256:{pin}\nSYSTEM Pinned.\n")
    assert (await corral("apply", str(folder)))[0] == 0
    assert (await shown(http, "team/bot"))["system"] == "Pinned."
    assert (await corral("apply", str(folder), "--check"))[0] == 0
    (folder / "team" / "bot.modelfile").write_text(f"FROM base:1@sha256:{'0' * 64}\nSYSTEM Pinned.\n")
    assert (await corral("apply", str(folder)))[0] == 1
