"""What is in the wheels: everything that runs, nothing that does not belong to it."""

import subprocess
import sys
import zipfile
from pathlib import Path

from source import ROOT


def wheel_files(project: Path, folder: Path) -> set[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_clusters_wheel_holds_both_packages_with_their_scripts(tmp_path: Path) -> None:
    files = wheel_files(ROOT, tmp_path)
    wanted = {f"shared/lua/{script.name}" for script in (ROOT / "shared" / "lua").glob("*.lua")}
    assert wanted
    assert wanted | {"shared/py.typed", "services/py.typed", "services/gateway/__main__.py"} <= files
    assert {name.split("/")[0] for name in files} == {"services", "shared", "corral_cluster-0.1.0.dist-info"}


def test_the_command_lines_wheel_brings_only_itself(tmp_path: Path) -> None:
    files = wheel_files(ROOT / "cli", tmp_path)
    assert {name.split("/")[0] for name in files} == {"corral", "corral-0.1.0.dist-info"}
    assert {"corral/py.typed", "corral/__main__.py", "corral/up/command.py"} <= files
