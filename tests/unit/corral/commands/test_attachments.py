"""Which words of a prompt are files that go along."""

from base64 import b64encode
from pathlib import Path

import pytest

from corral.commands.attachments import attached
from corral.errors import CliError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("cat.png", "my dog.JPG", "song.wav", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.mark.parametrize(
    ("prompt", "text", "names"),
    [
        ("what is ./cat.png showing", "what is  showing", ["cat.png"]),
        ("cat.png song.wav", "", ["cat.png", "song.wav"]),
        ("describe 'my dog.JPG'", "describe", ["my dog.JPG"]),
        ('describe "my dog.JPG" please', "describe  please", ["my dog.JPG"]),
        (r"describe my\ dog.JPG", "describe", ["my dog.JPG"]),
        ("read notes.txt", "read notes.txt", []),
        ("draw absent.png", "draw absent.png", []),
        ("what does it's a 'cat' mean", "what does it's a 'cat' mean", []),
        ("", "", []),
    ],
)
def test_existing_pictures_and_sounds_leave_the_text(folder: Path, prompt: str, text: str, names: list[str]) -> None:
    assert attached(prompt) == (text, [b64encode(name.encode()).decode() for name in names])


def test_a_file_that_is_too_large_is_named(folder: Path) -> None:
    with (folder / "film.png").open("wb") as film:
        film.truncate((100 << 20) + 1)
    with pytest.raises(CliError, match=r"film\.png has more than 100 MiB"):
        attached("look at film.png")
