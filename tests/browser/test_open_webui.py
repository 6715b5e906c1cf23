"""Open WebUI in a browser, through nginx, on a real cluster: what a team's people see and what the gateway learns."""

import os
import shutil
import struct
import time
from pathlib import Path

import httpx
import pytest

from browser.setup import User, chats_of
from fakes.polling import until
from harness.cluster import MODEL, Cluster, slots_in_use, wait_for_slots
from harness.open_webui import OpenWebUi
from source import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

STORY = "Tell me a very long story about a lighthouse."
FREE_AGAIN_S = 2.0
QUESTIONS = (
    "What is the capital of France, and what is it known for?",
    "Name three good reasons to go for a walk there.",
)
PICTURE = ROOT / "docs" / "images" / "open-webui.png"
PICTURE_BYTES_MAX = 300_000
PNG_SIZE = struct.Struct(">16x2I")


async def test_an_answer_grows_while_it_is_written(admin: User, cluster: Cluster) -> None:
    await admin.person.does("begin", model=MODEL)
    await admin.person.does("ask", text=STORY)
    first = await admin.person.does("look", longer_than=0)
    second = await admin.person.does("look", longer_than=len(first["text"]))
    assert not second["is_complete"]
    whole = await admin.person.does("wait")
    assert len(first["text"]) < len(second["text"]) < len(whole)
    assert await admin.person.does("complaints") == []


async def test_the_gateway_tells_the_users_apart(admin: User, ann: User, cluster: Cluster) -> None:
    before = [len(chats_of(cluster, user)) for user in (admin, ann)]
    for user in (admin, ann):
        await user.person.does("begin", model=MODEL)
        await user.person.does("ask", text="What is a lighthouse?")
    for user in (admin, ann):
        assert await user.person.does("wait")
    assert admin.id != ann.id

    def both_were_served() -> bool:
        # The answer and the chat's title.
        return [len(chats_of(cluster, user)) for user in (admin, ann)] == [count + 2 for count in before]

    await until(both_were_served, within_s=30)
    assert await ann.person.does("complaints") == []


async def test_stopping_an_answer_frees_its_slot_at_once(ann: User, cluster: Cluster) -> None:
    await ann.person.does("begin", model=MODEL)
    await ann.person.does("ask", text="What is a lighthouse?")
    await ann.person.does("wait")
    wait_for_slots(cluster, 0)  # the title, which is asked for with the first message, is there
    await ann.person.does("ask", text=STORY)
    seen = await ann.person.does("look", longer_than=20)
    assert not seen["is_complete"]
    assert slots_in_use(cluster) == 1
    await ann.person.does("stop")
    stopped_s = time.monotonic()
    wait_for_slots(cluster, 0)
    assert time.monotonic() - stopped_s < FREE_AGAIN_S
    await until(lambda: chats_of(cluster, ann)[-1]["outcome"] == "cancelled")
    assert (await ann.person.does("wait")).startswith(seen["text"]), "what was written stays"
    assert await ann.person.does("complaints") == []


async def test_an_attached_document_reaches_the_model(ann: User, cluster: Cluster) -> None:
    await ann.person.does("begin", model=MODEL)
    await ann.person.does("attach", name="note.txt", text="The lighthouse is painted in green. " * 40)
    await ann.person.does("ask", text="What is painted?")
    assert await ann.person.does("wait")

    def was_read() -> bool:
        return any(line["prompt_tokens"] > 320 for line in chats_of(cluster, ann))

    await until(was_read)
    assert await ann.person.does("complaints") == []


async def test_an_error_is_shown_in_the_gateways_words(ann: User, cluster: Cluster, secrets: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {secrets['admin_key']}"}
    async with httpx.AsyncClient(base_url=cluster.url, headers=headers) as http:
        copied = await http.post("/api/copy", json={"source": MODEL, "destination": "short-lived"})
        assert copied.status_code == 200
        await ann.person.does("begin", model="short-lived:latest")
        deleted = await http.request("DELETE", "/api/delete", json={"model": "short-lived"})
        assert deleted.status_code == 200
    await ann.person.does("ask", text="Are you there?")
    assert (await ann.person.does("look", longer_than=0))["text"].strip() == "model 'short-lived:latest' not found"
    await ann.person.does("complaints")


async def test_an_admin_of_the_page_is_told_that_models_are_managed_elsewhere(admin: User) -> None:
    await admin.person.does("pull", model="tinyllama")
    await admin.person.does("see", text="managing models and keys needs an API key with the role admin")
    await admin.person.does("complaints")


async def test_a_finished_chat_is_a_sight_for_the_documentation(
    ann: User, open_webui: OpenWebUi, cluster: Cluster, tmp_path: Path
) -> None:
    """With CORRAL_WRITE_IMAGES=1 it is the picture in `docs/images`."""
    await ann.person.does("begin", model=MODEL)
    for question in QUESTIONS:
        await ann.person.does("ask", text=question)
        await ann.person.does("wait")
    wait_for_slots(cluster, 0)
    picture = tmp_path / PICTURE.name
    await ann.person.does("picture", path=str(picture))
    assert PNG_SIZE.unpack_from(picture.read_bytes()) == (1280, 800)
    assert picture.stat().st_size < PICTURE_BYTES_MAX
    assert open_webui.memory_bytes < 1 << 30
    if os.environ.get("CORRAL_WRITE_IMAGES"):
        shutil.copy(picture, PICTURE)
