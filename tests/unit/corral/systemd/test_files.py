"""Installing writes what is planned, uninstalling removes exactly that, and nobody else's file is touched."""

from pathlib import Path

import pytest

from corral.errors import CliError
from corral.systemd.files import RECORD_NAME, install, read_record, uninstall
from corral.systemd.plan import SECRET_MODE, PlannedFile


def quiet(_text: str) -> None:
    pass


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def files(root: Path, *names: str, text: str = "x") -> list[PlannedFile]:
    return [PlannedFile(root / "units" / name, f"{name}: {text}") for name in names]


def test_uninstalling_leaves_the_machine_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "other.service").write_text("not ours")
    before = everything(tmp_path)
    secret = PlannedFile(tmp_path / "etc" / "corral" / "a.env", "SECRET=1", SECRET_MODE)
    install([*files(tmp_path, "a.service", "b.service"), secret], tmp_path / "etc" / "corral", quiet)
    assert everything(tmp_path) > before
    assert secret.path.stat().st_mode & 0o777 == SECRET_MODE
    uninstall(tmp_path / "etc" / "corral", quiet)
    assert everything(tmp_path) == before


def test_installing_again_brings_the_new_text_and_removes_what_is_no_longer_planned(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    install(files(tmp_path, "a.service", "b.service"), folder, quiet)
    install(files(tmp_path, "a.service", text="new"), folder, quiet)
    assert everything(tmp_path / "units") == {"a.service"}
    assert (tmp_path / "units" / "a.service").read_text() == "a.service: new"
    uninstall(folder, quiet)
    assert everything(tmp_path) == set()


def test_a_file_of_somebody_else_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "units" / "a.service"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    said: list[str] = []
    install(files(tmp_path, "a.service", "b.service"), tmp_path / "etc", said.append)
    assert theirs.read_text() == "theirs"
    assert any(text.startswith(f"kept {theirs}") for text in said)
    uninstall(tmp_path / "etc", quiet)
    assert everything(tmp_path) == {"units", "units/a.service"}


def test_what_an_operator_changed_survives_both(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    settings = [PlannedFile(folder / "corral.env", "# settings")]
    install(settings, folder, quiet)
    (folder / "corral.env").write_text("CORRAL_LOG_LEVEL=debug")
    install(settings, folder, quiet)
    said: list[str] = []
    uninstall(folder, said.append)
    assert (folder / "corral.env").read_text() == "CORRAL_LOG_LEVEL=debug"
    assert said == [f"kept {folder / 'corral.env'}: it was changed since it was installed"]
    assert not (folder / RECORD_NAME).exists()


def test_a_masked_unit_stays_masked(tmp_path: Path) -> None:
    link = tmp_path / "units" / "a.service"
    link.parent.mkdir()
    link.symlink_to("/dev/null")
    install(files(tmp_path, "a.service"), tmp_path / "etc", quiet)
    assert link.is_symlink()


def test_an_installation_that_broke_off_can_be_removed(tmp_path: Path) -> None:
    impossible = PlannedFile(tmp_path / "units" / ("n" * 250), "too long a name for the file written before it")
    with pytest.raises(CliError, match="cannot install"):
        install([*files(tmp_path, "a.service"), impossible], tmp_path / "etc", quiet)
    assert everything(tmp_path / "units") == {"a.service"}
    uninstall(tmp_path / "etc", quiet)
    assert everything(tmp_path) == set()


def test_there_is_nothing_to_uninstall_twice(tmp_path: Path) -> None:
    install(files(tmp_path, "a.service"), tmp_path / "etc", quiet)
    uninstall(tmp_path / "etc", quiet)
    with pytest.raises(CliError, match="nothing is installed"):
        uninstall(tmp_path / "etc", quiet)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": [], "folders": []}', "\x00"])
def test_a_record_that_makes_no_sense_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD_NAME).write_text(text)
    with pytest.raises(CliError, match="cannot be read"):
        read_record(tmp_path)
