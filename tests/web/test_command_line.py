"""`./soty` for operators: accounts, backup and the way back (F12)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.accounts.model import Role
from app.cli.__main__ import main
from tests.web.site import PASSWORD, Site


@pytest.fixture(autouse=True)
def home(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands work on the site's home."""
    monkeypatch.setenv("SOTY_HOME", str(site.settings.home))
    monkeypatch.setenv("SOTY_CALLED_FROM", str(tmp_path))
    site.settings.secret  # noqa: B018 - its folder must exist before `backup` looks


def test_a_token_goes_alone_to_stdout(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["users", "add", "Ольга", "--role", "mentor", "--token"]) == 0
    told = capsys.readouterr()
    token = told.out.strip()
    assert token.startswith("soty_")
    assert "\n" not in token
    found = site.accounts.tokens.find(token)
    assert (found.name, found.role) == ("Ольга", Role.MENTOR)


def test_without_a_password_a_one_time_one_is_made(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["users", "add", "Ольга"]) == 0
    password = capsys.readouterr().err.split("Password: ")[1].split()[0]
    assert site.accounts.users.check("Ольга", password).must_change_password


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["users", "add", "x"], 2, "at least two characters"),
        (["users", "add", "Ольга", "--password", "short"], 2, "at least eight characters"),
        (["users", "role", "Nobody", "admin"], 4, "Nobody has this name"),
        (["users", "deactivate", "admin"], 1, "last admin"),
        (["restore", "missing.bak"], 4, "There is no file"),
    ],
)
def test_a_refusal_has_a_sentence_and_a_code(
    site: Site, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, said: str
) -> None:
    site.accounts.users.ensure_admin()
    assert main(argv) == code
    assert said in capsys.readouterr().err


def test_a_backup_brings_people_back_but_no_sign_ins(site: Site, tmp_path: Path) -> None:
    # Given a person with a session and a token, and a backup taken while the site runs
    person = site.person("Анна")
    browser, token = site.signed_in(person), site.accounts.tokens.create(person.id)
    assert main(["backup", "monday.bak"]) == 0
    assert (tmp_path / "monday.bak").stat().st_mode & 0o777 == 0o600
    # When the account is lost and the backup is restored
    with site.cases.database.transaction() as session:
        session.delete(session.get(type(person), person.id))
    site.cases.database.dispose()
    assert main(["restore", "monday.bak"]) == 0
    # Then the person is there again and signs in anew
    assert site.accounts.tokens.find(token) is not None
    assert browser.get("/profile").status_code == 302
    assert site.browser().sign_in("Анна", PASSWORD).status_code == 303
    assert "database.restore" in site.audit()


def test_a_backup_never_overwrites_and_leaves_nothing_half_done(site: Site, tmp_path: Path) -> None:
    (tmp_path / "monday.bak").write_text("precious")
    assert main(["backup", "monday.bak"]) == 1
    assert (tmp_path / "monday.bak").read_text() == "precious"
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize("damage", ["text", "another database", "cut"])
def test_a_file_that_is_no_backup_changes_nothing(site: Site, tmp_path: Path, damage: str) -> None:
    site.person("Анна")
    bad = tmp_path / "bad.bak"
    if damage == "text":
        bad.write_text("not a database at all" * 100)
    elif damage == "another database":
        with closing(sqlite3.connect(bad)) as file:
            file.execute("CREATE TABLE cats (name TEXT)")
    else:
        assert main(["backup", "good.bak"]) == 0
        bad.write_bytes((tmp_path / "good.bak").read_bytes()[:20_000])
    assert main(["restore", "bad.bak"]) == 2
    assert site.accounts.users.named("Анна").active
