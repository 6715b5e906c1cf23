"""When an environment counts as current."""

from pathlib import Path

from tools.setup_env import fingerprint, inputs


def test_the_fingerprint_changes_with_any_file_and_any_fact(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text("one")
    before = fingerprint([lock], "fact")
    assert fingerprint([lock], "fact") == before
    assert fingerprint([lock], "other") != before
    lock.write_text("two")
    assert fingerprint([lock], "fact") != before


def test_every_input_exists() -> None:
    assert all(path.is_file() for path in inputs())
