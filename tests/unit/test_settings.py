"""Settings are documented, checked all at once, and secrets among them stay hidden."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import CHECKOUT, Settings, SettingsInvalid, load_settings


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    documented = set(re.findall(r"^\| `SOTY_(\w+)`", (CHECKOUT / "docs" / "settings.md").read_text(), re.MULTILINE))
    ours = {name.upper() for name, field in Settings.model_fields.items() if field.validation_alias is None}
    assert documented == ours


def test_all_faulty_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOTY_PORT", "eighty")
    monkeypatch.setenv("SOTY_ENGINE", "warp")
    monkeypatch.setenv("SOTY_URL", "soty.example.org/path")
    with pytest.raises(SettingsInvalid) as told:
        load_settings()
    assert [line.split(":")[0] for line in told.value.message.splitlines()] == ["SOTY_PORT", "SOTY_URL", "SOTY_ENGINE"]


def test_a_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first, second = Settings(home=tmp_path), Settings(home=tmp_path)
    assert len(first.secret) == 64
    assert second.secret == first.secret
    assert (tmp_path / "secrets" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_secrets_do_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, secret_key="canary-1", metrics_token="canary-2")
    assert "canary" not in repr(settings)
