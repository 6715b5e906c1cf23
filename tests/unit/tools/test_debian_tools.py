"""Getting a server from Debian's packages: found where it is, fetched whole or not at all, never a reason to stop."""

from pathlib import Path

import pytest

from tools import debian_tools
from tools.debian_tools import BINARIES, cache_folder, ensure, find, missing_libraries

TOOL = "corral-imaginary"

APT_GET = """#!/bin/sh
for last; do :; done
case "$*" in
  *update*) touch updated ;;
  *) {needs}: > "$last"_1.0_all.deb ;;
esac
"""
DPKG_DEB = """#!/bin/sh
mkdir -p "$3/usr/sbin" && printf '#!/bin/sh\\n' > "$3/usr/sbin/{tool}" && chmod +x "$3/usr/sbin/{tool}"
"""
LDD = """#!/bin/sh
echo '	libc.so.6 => /lib/libc.so.6 (0x1)'
echo '	libabsent.so.3 => not found'
"""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine with an empty cache, where `TOOL` is one of the wanted packages and only `programs` can be run."""
    monkeypatch.setitem(BINARIES, TOOL, f"usr/sbin/{TOOL}")
    programs = tmp_path / "programs"
    programs.mkdir()
    return {"PATH": str(programs), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def program(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> "Program":
    monkeypatch.setenv("PATH", f"{environ['PATH']}:/usr/bin:/bin")
    return Program(Path(environ["PATH"]))


class Program:
    """Puts small shell scripts in the place of the machine's programs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, script: str) -> None:
        path = self._folder / name
        path.write_text(script)
        path.chmod(0o755)


def test_the_machines_own_program_comes_before_the_cache(environ: dict[str, str], program: Program) -> None:
    assert find(TOOL, environ) is None
    cached = cache_folder(environ) / TOOL / BINARIES[TOOL]
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert find(TOOL, environ) == cached
    program.write(TOOL, "#!/bin/sh\n")
    assert find(TOOL, environ) == Path(environ["PATH"]) / TOOL


def test_a_missing_program_is_fetched_once(environ: dict[str, str], program: Program) -> None:
    program.write("apt-get", APT_GET.format(needs=""))
    program.write("dpkg-deb", DPKG_DEB.format(tool=TOOL))
    assert ensure([TOOL], environ) == []
    assert find(TOOL, environ) == cache_folder(environ) / TOOL / BINARIES[TOOL]
    program.write("apt-get", "#!/bin/sh\nexit 1\n")
    assert ensure([TOOL], environ) == []


def test_without_usable_package_lists_fresh_ones_are_read(environ: dict[str, str], program: Program) -> None:
    program.write("apt-get", APT_GET.format(needs="[ -e updated ] || exit 100; "))
    program.write("dpkg-deb", DPKG_DEB.format(tool=TOOL))
    assert ensure([TOOL], environ) == []
    assert find(TOOL, environ) is not None


def test_a_package_that_cannot_be_had_leaves_nothing_and_is_told(environ: dict[str, str], program: Program) -> None:
    program.write("apt-get", "#!/bin/sh\necho 'E: no such thing' >&2\nexit 100\n")
    program.write("dpkg-deb", DPKG_DEB.format(tool=TOOL))
    assert ensure([TOOL], environ) == [f"{TOOL}: apt-get: E: no such thing"]
    assert list(cache_folder(environ).iterdir()) == []


def test_a_program_that_could_not_run_here_is_not_kept(environ: dict[str, str], program: Program) -> None:
    program.write("apt-get", APT_GET.format(needs=""))
    program.write("dpkg-deb", DPKG_DEB.format(tool=TOOL))
    program.write("ldd", LDD)
    [problem] = ensure([TOOL], environ)
    assert problem == f"{TOOL}: it needs libabsent.so.3, which this machine does not have"
    assert find(TOOL, environ) is None


def test_a_machine_without_apt_is_told_so(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert ensure([TOOL], environ) == [f"{TOOL}: neither installed nor to be had, for this machine has no apt"]


def test_a_program_with_all_its_libraries_misses_none() -> None:
    assert missing_libraries(Path("/bin/sh")) == []


def test_the_note_about_skipped_tests_is_no_failure(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(debian_tools, "BINARIES", {TOOL: f"usr/sbin/{TOOL}"})
    for name, value in {**environ, "PATH": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    debian_tools.main()
    assert "tests against a real server are skipped" in capsys.readouterr().err
