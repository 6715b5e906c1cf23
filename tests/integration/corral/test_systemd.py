"""The units as systemd itself reads them, and the two commands on a user's own folders."""

import shutil
import subprocess
from pathlib import Path

import pytest

from corral.__main__ import main
from corral.systemd.plan import SYSTEM, TARGET, Host, Scope, Wanted, planned, user_scope

ANALYZE = shutil.which("systemd-analyze")
EXPOSURE_MAX = 20  # in tenths, of 100: systemd calls up to 2.0 "OK"

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze (Debian's package systemd) is not here")


def unit_files(folder: Path, scope: Scope, wanted: Wanted, *, has_gpu: bool) -> list[Path]:
    """The units of a plan in a folder, where systemd-analyze finds those that name each other."""
    host = Host(
        python="/bin/sh",  # programs that exist: systemd-analyze looks for them
        code=("/opt/corral",),
        valkey="/bin/sh",
        cores_count=8,
        memory_bytes=1 << 34,
        has_gpu=has_gpu,
    )
    files = [file for file in planned(scope, host, wanted) if file.path.parent == scope.units]
    for file in files:
        (folder / file.path.name).write_text(file.text)
    return [folder / file.path.name for file in files]


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    environ = {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False, timeout=60, env=environ)


@needs_systemd
@pytest.mark.parametrize("has_gpu", [False, True])
@pytest.mark.parametrize("redis_url", ["", "redis://redis.example:6379/0"])
@pytest.mark.parametrize("scope", [SYSTEM, user_scope(Path("/home/ada/.config"))], ids=["system", "user"])
def test_systemd_finds_nothing_wrong_with_the_units(
    tmp_path: Path, scope: Scope, redis_url: str, has_gpu: bool
) -> None:
    wanted = Wanted(workers_count=2, redis_url=redis_url)
    files = unit_files(tmp_path, scope, wanted, has_gpu=has_gpu)
    whose = "--system" if scope.is_system else "--user"
    checked = analyze(tmp_path, "verify", "--man=no", whose, *map(str, files))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@needs_systemd
def test_systemd_would_tell_of_an_option_it_does_not_know(tmp_path: Path) -> None:
    unit = tmp_path / "corral-x.service"
    unit.write_text("[Service]\nExecStart=/bin/sh\nProtectSistem=strict\n")
    assert "ProtectSistem" in analyze(tmp_path, "verify", "--man=no", "--system", str(unit)).stderr


@needs_systemd
@pytest.mark.parametrize("has_gpu", [False, True])
def test_systemd_calls_the_services_well_confined(tmp_path: Path, has_gpu: bool) -> None:
    for file in unit_files(tmp_path, SYSTEM, Wanted(), has_gpu=has_gpu):
        if file.suffix == ".service":
            report = analyze(tmp_path, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(file))
            assert report.returncode == 0, report.stdout


def in_root(path: Path, root: Path) -> Path:
    return root / path.relative_to("/")


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemctl (Debian's package systemd) is not here")
def test_enabling_makes_the_link_that_uninstalling_looks_for(tmp_path: Path) -> None:
    units = in_root(SYSTEM.units, tmp_path)
    units.mkdir(parents=True)
    unit_files(units, SYSTEM, Wanted(), has_gpu=False)
    subprocess.run(["systemctl", f"--root={tmp_path}", "enable", TARGET], capture_output=True, check=True, timeout=60)
    assert in_root(SYSTEM.enabled_link, tmp_path).is_symlink()
    assert [path for path in units.rglob("*") if path.is_symlink()] == [in_root(SYSTEM.enabled_link, tmp_path)]


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not here")
def test_systemd_makes_the_account_of_the_services(tmp_path: Path) -> None:
    host = Host(python="/bin/sh", code=(), valkey="/bin/sh", cores_count=1, memory_bytes=1, has_gpu=True)
    conf = next(file for file in planned(SYSTEM, host, Wanted()) if file.path.name == "corral.conf")
    in_root(conf.path, tmp_path).parent.mkdir(parents=True)
    in_root(conf.path, tmp_path).write_text(conf.text)
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], capture_output=True, check=True, timeout=60)
    assert ":Corral:/var/lib/corral:" in (tmp_path / "etc" / "passwd").read_text()
    assert "render:x:" in (tmp_path / "etc" / "group").read_text()


@pytest.fixture
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_a_user_installs_and_uninstalls_without_leaving_anything(
    config_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install-systemd", "--user", "--workers", "2"]) == 0
    assert "systemctl --user enable --now corral.target" in capsys.readouterr().out
    assert (config_home / "systemd" / "user" / "corral-worker@.service").is_file()
    assert (config_home / "corral" / "worker-2.env").is_file()
    assert main(["uninstall-systemd", "--user"]) == 0
    assert not config_home.exists()


def test_a_dry_run_shows_everything_and_writes_nothing(config_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install-systemd", "--user", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    for name in ("corral.target", "corral-valkey.service", "corral-worker@.service", "corral.env", "worker-1.env"):
        assert f"/{name} (mode" in shown
    assert not config_home.exists()


def test_an_enabled_cluster_is_not_uninstalled(config_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install-systemd", "--user"]) == 0
    link = config_home / "systemd" / "user" / "default.target.wants" / "corral.target"
    link.parent.mkdir()
    link.symlink_to(config_home / "systemd" / "user" / "corral.target")
    assert main(["uninstall-systemd", "--user"]) == 1
    assert "systemctl --user disable --now corral.target" in capsys.readouterr().err
    assert (config_home / "systemd" / "user" / "corral.target").is_file()


@pytest.mark.parametrize("command", ["install-systemd", "uninstall-systemd"])
def test_the_machines_services_are_roots_business(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("sys.executable", "/opt/corral/bin/python")
    monkeypatch.setattr("sys.prefix", "/opt/corral")
    monkeypatch.setattr("sys.base_prefix", "/usr")
    assert main([command]) == 1
    assert "use sudo, or --user" in capsys.readouterr().err
