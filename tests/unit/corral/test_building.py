"""What is gathered for a model and what `/api/create` is asked."""

import hashlib
from pathlib import Path

import pytest

from corral.building import Ingredients, create_body, digests_of, file_digest, ingredients_of
from corral.errors import CliError
from corral.modelfile import parse
from fakes.display import RecordingDisplay


def test_the_request_holds_only_what_the_modelfile_says() -> None:
    assert create_body("bot", parse("FROM base"), "base", {}) == {"model": "bot", "from": "base"}
    recipe = parse('FROM base\nSYSTEM ""\nPARAMETER seed 0\nMESSAGE user hi\nLICENSE MIT\nRENDERER r\nPARSER p')
    digests = {"files": {"w.gguf": "sha256:1"}, "adapters": {"a.gguf": "sha256:2"}}
    assert create_body("bot", recipe, "", digests) == {
        "model": "bot",
        "files": {"w.gguf": "sha256:1"},
        "adapters": {"a.gguf": "sha256:2"},
        "parameters": {"seed": 0},
        "messages": [{"role": "user", "content": "hi"}],
        "license": ["MIT"],
        "renderer": "r",
        "parser": "p",
    }


def test_every_source_is_found_where_the_modelfile_lies(tmp_path: Path) -> None:
    for name in ("w.gguf", "mmproj.gguf", "a.gguf", "d.gguf"):
        (tmp_path / name).write_bytes(name.encode())
    recipe = parse("FROM ./w.gguf\nFROM mmproj.gguf\nADAPTER a.gguf\nDRAFT ./d.gguf")
    assert ingredients_of(recipe, tmp_path) == Ingredients(
        base="",
        files={
            "files": {"w.gguf": tmp_path / "w.gguf", "mmproj.gguf": tmp_path / "mmproj.gguf"},
            "adapters": {"a.gguf": tmp_path / "a.gguf"},
            "draft_files": {"d.gguf": tmp_path / "d.gguf"},
        },
    )


def test_what_is_no_path_is_a_model_and_may_have_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mmproj.gguf").write_bytes(b"GGUF")
    found = ingredients_of(parse(f"FROM llama3@sha256:{'0' * 64}\nFROM ./mmproj.gguf"), tmp_path)
    assert found.base == f"llama3@sha256:{'0' * 64}"
    assert list(found.files) == ["files"]


@pytest.mark.parametrize("line", ["ADAPTER nothing.gguf", "DRAFT nothing"])
def test_an_adapter_and_a_draft_must_be_there(line: str, tmp_path: Path) -> None:
    with pytest.raises(CliError, match=f"{line}: no such file or folder"):
        ingredients_of(parse(f"FROM base\n{line}"), tmp_path)


def test_a_draft_cannot_be_the_model_itself(tmp_path: Path) -> None:
    (tmp_path / "w.gguf").write_bytes(b"GGUF")
    (tmp_path / "same.gguf").symlink_to("w.gguf")
    with pytest.raises(CliError, match="DRAFT must not reference the same local path as FROM"):
        ingredients_of(parse("FROM ./w.gguf\nDRAFT ./same.gguf"), tmp_path)


def test_files_are_hashed_and_it_shows(tmp_path: Path) -> None:
    content = bytes(1_500_000)
    (tmp_path / "w.gguf").write_bytes(content)
    shown = RecordingDisplay()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    assert digests_of(Ingredients("", {"files": {"w.gguf": tmp_path / "w.gguf"}}), shown) == {
        "files": {"w.gguf": digest}
    }
    assert shown.bars == [("hashing w.gguf", 1 << 20, 1_500_000), ("hashing w.gguf", 1_500_000, 1_500_000)]


def test_an_empty_file_has_a_digest_too(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert file_digest(tmp_path / "empty", RecordingDisplay()) == "sha256:" + hashlib.sha256().hexdigest()
