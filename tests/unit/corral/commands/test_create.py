"""What `corral create` sends, and what it refuses before sending anything."""

from pathlib import Path

import pytest

from corral.commands.create import create_body, local_weights, refuse_unsupported
from corral.errors import CliError
from corral.modelfile import parse


def test_the_request_holds_only_what_the_modelfile_says() -> None:
    assert create_body("bot", parse("FROM base")) == {"model": "bot"}
    body = create_body("bot", parse('FROM base\nSYSTEM ""\nPARAMETER seed 0\nMESSAGE user hi\nLICENSE MIT'))
    assert body == {
        "model": "bot",
        "parameters": {"seed": 0},
        "messages": [{"role": "user", "content": "hi"}],
        "license": ["MIT"],
    }


@pytest.mark.parametrize("line", ["ADAPTER a.gguf", "DRAFT d.gguf", "RENDERER x", "PARSER x", "FROM second"])
def test_what_the_server_cannot_do_is_refused_by_name(line: str) -> None:
    with pytest.raises(CliError, match=line.split(maxsplit=1)[0]):
        refuse_unsupported(parse(f"FROM base\n{line}"))


def test_from_names_a_file_beside_the_modelfile_or_else_a_model(tmp_path: Path) -> None:
    (tmp_path / "weights.gguf").write_bytes(b"GGUF rest")
    assert local_weights("weights.gguf", tmp_path) == tmp_path / "weights.gguf"
    assert local_weights("./weights.gguf", tmp_path) == tmp_path / "weights.gguf"
    assert local_weights(str(tmp_path / "weights.gguf"), Path("/")) == tmp_path / "weights.gguf"
    assert local_weights("llama3:8b", tmp_path) is None


def test_a_folder_or_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(CliError, match="not a GGUF file"):
        local_weights("notes.txt", tmp_path)
    with pytest.raises(CliError, match="is a folder"):
        local_weights(".", tmp_path)
