"""`./soty uninstall` takes back what `./run` did to the machine, and nothing else."""

from __future__ import annotations

import os
import pwd
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.__main__ import main
from app.launch import places

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes accounts")


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Two accounts with names of this test, made as `./run` makes them."""
    names = [f"soty-t{secrets.token_hex(4)}" for _ in range(2)]
    monkeypatch.setattr(places, "APP_ACCOUNT", names[0])
    monkeypatch.setattr(places, "LIVE_ACCOUNT", names[1])
    yield names
    for name in names:
        if places.account_exists(name):
            subprocess.run(["userdel", name], check=True, timeout=30)


@ONLY_ROOT
def test_the_accounts_go_and_the_files_stay(
    accounts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOTY_HOME", str(tmp_path))
    for name in accounts:
        places.ensure_account(name)
    (tmp_path / "precious").write_text("kept")
    assert main(["uninstall"]) == 0
    said = capsys.readouterr().err
    assert all(f"Removed the account {name}." in said for name in accounts)
    assert not any(map(places.account_exists, accounts))
    assert (tmp_path / "precious").read_text() == "kept"
    assert main(["uninstall"]) == 0
    assert "no accounts of Soty" in capsys.readouterr().err


@ONLY_ROOT
def test_an_account_at_work_is_left_alone(accounts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    places.ensure_account(accounts[0])
    uid = pwd.getpwnam(accounts[0]).pw_uid
    with subprocess.Popen([sys.executable, "-Ic", "input()"], stdin=subprocess.PIPE, user=uid, cwd="/") as at_work:
        assert main(["uninstall"]) == 1
        assert f"process {at_work.pid}" in capsys.readouterr().err
        assert at_work.stdin
        at_work.stdin.write(b"\n")
    assert main(["uninstall"]) == 0


def test_an_ordinary_user_is_told_who_can(
    accounts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(places, "APP_ACCOUNT", "daemon")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["uninstall"]) == 1
    assert "sudo ./soty uninstall" in capsys.readouterr().err
