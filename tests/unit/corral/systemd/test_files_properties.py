"""Laws of installing: whatever happened before, uninstalling takes away what was written and only that."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from corral.systemd.files import install, uninstall
from corral.systemd.plan import PlannedFile

NAMES = st.sampled_from(["a.service", "b.service", "c.target", "d.env"])
CONTENTS = st.dictionaries(NAMES, st.text("xyz", min_size=1, max_size=2))


def quiet(_text: str) -> None:
    pass


def found(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


@given(foreign=CONTENTS, installs=st.lists(CONTENTS.filter(bool), min_size=1, max_size=3))
def test_files_that_were_there_before_are_all_there_is_afterwards(
    foreign: dict[str, str], installs: list[dict[str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        units, record = Path(name) / "units", Path(name) / "etc"
        units.mkdir()
        for file, text in foreign.items():
            (units / file).write_text(text)
        for plan in installs:
            install([PlannedFile(units / file, text) for file, text in plan.items()], record, quiet)
            assert found(units) == {**plan, **foreign}
        uninstall(record, quiet)
        assert not record.exists()
        assert found(units) == foreign


@given(plan=CONTENTS.filter(bool), edits=CONTENTS)
def test_edited_files_stay_and_the_rest_goes(plan: dict[str, str], edits: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        units, record = Path(name) / "units", Path(name) / "etc"
        install([PlannedFile(units / file, text) for file, text in plan.items()], record, quiet)
        for file, text in edits.items():
            (units / file).write_text(text)
        uninstall(record, quiet)
        assert found(units) == {file: text for file, text in edits.items() if plan.get(file) != text}
