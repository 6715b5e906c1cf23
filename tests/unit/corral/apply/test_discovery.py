"""Which Modelfiles a folder holds, and which models they are."""

from pathlib import Path, PurePosixPath

import pytest

from corral.apply.discovery import Problem, discover, name_of
from corral.errors import CliError


@pytest.mark.parametrize(
    ("where", "short"),
    [
        ("Modelfile.bot", "bot:latest"),
        ("bot.modelfile", "bot:latest"),
        ("Bot.Modelfile", "Bot:latest"),
        ("Modelfile.llama3.2@3b", "llama3.2:3b"),
        ("llama3.2@3b.modelfile", "llama3.2:3b"),
        ("team/Modelfile.support-bot", "team/support-bot:latest"),
        ("llm.internal/team/bot@1.2.modelfile", "llm.internal/team/bot:1.2"),
    ],
)
def test_a_path_spells_the_name(where: str, short: str) -> None:
    assert name_of(PurePosixPath(where)).short == short


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("Modelfile", "call it Modelfile.NAME"),
        ("Modelfile.", "is not a model name"),
        (".modelfile", "is not a model name"),
        ("Modelfile.bot~", "is not a model name"),
        ("Modelfile.bot@", "is not a model name"),
        ("Modelfile.bot@a@b", "is not a model name"),
        ("team.x/Modelfile.bot", "is not a model name"),
        ("a/b/c/Modelfile.bot", "too deep"),
    ],
)
def test_a_path_that_spells_no_name_says_why(where: str, why: str) -> None:
    with pytest.raises(CliError, match=why):
        name_of(PurePosixPath(where))


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("FROM x")


def test_a_folder_is_searched_whole_but_for_what_is_hidden(tmp_path: Path) -> None:
    fill(tmp_path, "Modelfile.b", "a.modelfile", "team/Modelfile.bot", "README.md", "weights/model.safetensors")
    fill(tmp_path, ".git/Modelfile.x", ".Modelfile.b.swp", "team/.modelfile", "team/Modelfile")
    found, problems = discover(tmp_path)
    assert [(one.where, one.name.short) for one in found] == [
        ("Modelfile.b", "b:latest"),
        ("a.modelfile", "a:latest"),
        ("team/Modelfile.bot", "team/bot:latest"),
    ]
    assert [problem.where for problem in problems] == ["team/Modelfile"]


def test_a_model_with_two_modelfiles_has_none(tmp_path: Path) -> None:
    fill(tmp_path, "Modelfile.bot", "BOT.modelfile", "Modelfile.other")
    found, problems = discover(tmp_path)
    assert [one.name.short for one in found] == ["other:latest"]
    assert problems == [
        Problem("BOT.modelfile", "BOT:latest has another Modelfile"),
        Problem("Modelfile.bot", "bot:latest has another Modelfile"),
    ]


def test_a_folder_that_holds_nothing_is_most_likely_the_wrong_one(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="is not a folder"):
        discover(tmp_path / "nothing")
    with pytest.raises(CliError, match=r"holds no Modelfile\.NAME"):
        discover(tmp_path)
