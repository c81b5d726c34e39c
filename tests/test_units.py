"""The units for systemd and the Containerfile: systemd itself checks the first."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, Shell
from nosend import errors
from nosend.monitor.units import units

UNITS = ("nosend.service", "nosend-sync.service", "nosend-sync.timer")
PROGRAM = Path(sys.executable).parent / "nosend"
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")


def keys(text: str) -> dict[str, list[str]]:
    """Give the values of a unit's keys, in their order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "[#":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_systemd_finds_nothing_wrong(nosend: Shell) -> None:
    """Where systemd is not installed the parts are looked at that a misprint would break."""
    nosend("init", "--systemd", ".")
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        sections = [re.findall(r"^\[(\w+)\]$", (nosend.folder / name).read_text(), re.MULTILINE) for name in UNITS]
        assert sections == [["Unit", "Service", "Install"], ["Unit", "Service"], ["Unit", "Timer", "Install"]]
        return
    done = subprocess.run(
        [analyze, "verify", "--man=no", *UNITS], cwd=nosend.folder, capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if "nosend" in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.parametrize("name", UNITS[:2])
def test_services_are_locked_in(name: str) -> None:
    told = keys(units(PROGRAM, Path("/etc/nosend/config.toml"))[name])
    wanted = {
        "DynamicUser": "yes", "StateDirectory": "nosend", "ProtectSystem": "strict", "ProtectHome": "yes",
        "NoNewPrivileges": "yes", "PrivateTmp": "yes", "CapabilityBoundingSet": "",
    }  # fmt: skip
    assert {key: told[key] for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert told["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_the_daemon_is_watched_and_not_restarted_with_a_wrong_configuration() -> None:
    told = keys(units(PROGRAM, Path("/etc/nosend/config.toml"))["nosend.service"])
    assert (told["Type"], told["Restart"], told["WatchdogSec"]) == (["notify"], ["on-failure"], ["30min"])
    assert told["RestartPreventExitStatus"] == [str(errors.ConfigError.exit_code)]
    assert told["ExecStart"] == [f"{PROGRAM} --config /etc/nosend/config.toml watch"]


def test_units_are_printed_or_written_and_never_replaced(nosend: Shell) -> None:
    printed = nosend("init", "--systemd").stdout
    assert sorted(nosend.folder.iterdir()) == []
    assert re.findall(r"^# (nosend\S+)$", printed, re.MULTILINE) == list(UNITS)
    (nosend.folder / "to").mkdir()
    nosend("init", "my.toml", "--systemd", "to")
    assert sorted(path.name for path in nosend.folder.rglob("*")) == sorted([*UNITS, "to"])
    text = (nosend.folder / "to" / "nosend.service").read_text()
    assert f"--config {nosend.folder}/my.toml watch" in text
    assert "exists already" in nosend("init", "--systemd", "to", code=2).stderr
    assert "its folder does not exist" in nosend("init", "--systemd", "no", code=2).stderr


def test_paths_are_written_as_systemd_reads_them() -> None:
    told = keys(units(Path('/opt/a "b" 5% $HOME/nosend'), Path("/etc/n c.toml"))["nosend.service"])
    assert told["ExecStart"] == [r'"/opt/a \"b\" 5%% $$HOME/nosend" --config "/etc/n c.toml" watch']


def test_the_container_is_nobodys_and_healthy_by_the_database() -> None:
    steps = dict(re.findall(r"^([A-Z]+) (.+)$", CONTAINERFILE, re.MULTILINE))
    assert (steps["FROM"], steps["USER"], steps["VOLUME"]) == ("python:3.13-slim", "10001", "/data")
    assert (steps["ENTRYPOINT"], steps["CMD"]) == ('["nosend"]', '["watch"]')
    assert steps["HEALTHCHECK"].endswith("CMD nosend status --healthy || exit 1")
    copied = " ".join(re.findall(r"^COPY (.+) \S+$", CONTAINERFILE, re.MULTILINE)).split()
    assert [name for name in copied if not (ROOT / name).exists()] == []
