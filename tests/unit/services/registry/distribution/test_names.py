"""Repository paths are models' names, references are tags or digests, listings come in pages."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.distribution.names import page, parse_reference, parse_repository, repository_path
from shared.digest import digest_of
from shared.errors import DigestInvalid, ModelNameInvalid

NAMES = st.lists(st.text("abc", min_size=1, max_size=4), unique=True).map(sorted)


@pytest.mark.parametrize(
    ("path", "full", "shown"),
    [
        ("team/bot", "registry.ollama.ai/team/bot:v1", "team/bot"),
        ("bot", "registry.ollama.ai/library/bot:v1", "library/bot"),
        ("hub.example:5000/team/bot", "hub.example:5000/team/bot:v1", "hub.example:5000/team/bot"),
        ("registry.ollama.ai/team/bot", "registry.ollama.ai/team/bot:v1", "team/bot"),
    ],
)
def test_paths_of_up_to_three_parts_name_a_repository(path: str, full: str, shown: str) -> None:
    name = parse_repository(path, "v1")
    assert name.full == full
    assert repository_path(name) == shown
    assert parse_repository(shown, "v1") == name


@pytest.mark.parametrize("path", ["a/b/c/d", "../bot", "a//b", "team/bot:v1", "http://team/bot", "team/", "tëam/bot"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ModelNameInvalid):
        parse_repository(path)


@pytest.mark.parametrize("tag", ["", ".hidden", "a/b", "a:b", "x" * 81])
def test_other_tags_are_refused(tag: str) -> None:
    with pytest.raises(ModelNameInvalid):
        parse_repository("team/bot", tag)


def test_a_reference_is_a_tag_or_a_digest() -> None:
    digest = digest_of(b"")
    assert parse_reference("latest") is None
    assert parse_reference("sha256-x") is None
    assert parse_reference(digest) == digest
    with pytest.raises(DigestInvalid):
        parse_reference("sha256:short")


@given(NAMES, st.integers(1, 5))
def test_the_pages_of_a_listing_hold_every_name_once_and_in_order(names: list[str], count: int) -> None:
    found: list[str] = []
    last = ""
    for _ in range(len(names) + 1):
        shown = page(names, count=count, last=last)
        assert len(shown.names) <= count
        found += shown.names
        if not shown.next_query:
            break
        query = dict(parse_qsl(shown.next_query))
        assert query["n"] == str(count)
        last = query["last"]
    assert found == names


def test_a_page_of_no_names_is_the_last_one() -> None:
    assert page(["a"], count=0, last="").names == ()
    assert page(["a"], count=0, last="").next_query == ""
