"""The only reader of the environment. All faults are reported at once, with the variable's name and a cure."""

from __future__ import annotations

import secrets
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import PlatformError

CHECKOUT = Path(__file__).resolve().parent.parent


class SettingsInvalid(PlatformError):
    """The environment holds values that Soty cannot use."""

    code = "settings-invalid"


class Settings(BaseSettings):
    """Everything an operator may set. Names are `SOTY_` + the upper-case field name (docs/settings.md)."""

    model_config = SettingsConfigDict(env_prefix="SOTY_", extra="ignore", frozen=True, str_strip_whitespace=True)

    home: Path = CHECKOUT / "var"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    live_port: int = Field(default=8001, ge=1, le=65535)
    url: str = ""
    live_url: str = ""
    engine: Literal["auto", "embedded", "docker", "swarm", "fake"] = "auto"
    database_url: str = ""
    secret_key: SecretStr | None = None
    web_workers: int = Field(default=2, ge=1, le=64)
    web_threads: int = Field(default=16, ge=1, le=256)
    workers: int = Field(default=1, ge=1, le=16, description="worker processes")
    worker_slots: int = Field(default=4, ge=1, le=32, description="jobs at a time in one worker process")
    sandbox_memory_mb: int = Field(default=0, ge=0, description="memory for all sandboxes; 0: 60 % of what is free at start")
    sandbox_slots: int = Field(default=0, ge=0, description="sandboxes at once; 0: as memory and CPU allow")
    apt_mirror: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sign_up: Literal["open", "closed"] = "open"
    proxies: int = Field(default=0, ge=0, le=5, description="reverse proxies in front of web")
    metrics_token: SecretStr | None = None
    testing: bool = False
    called_from: Path = Field(default_factory=Path.cwd, description="where relative paths begin")

    lang: str = Field(
        default="",
        validation_alias=AliasChoices("LC_ALL", "LC_MESSAGES", "LANG"),
        description="of the terminal: `ru…` speaks Russian, anything else English",
    )

    lessons_dir: Path = CHECKOUT / "lessons"
    exercises_dir: Path = CHECKOUT / "exercises"
    images_dir: Path = CHECKOUT / "sandboxes"

    @field_validator("home", "called_from", "lessons_dir", "exercises_dir", "images_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("url", "live_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("must be an origin such as https://soty.example.org")
        return value.rstrip("/")

    @property
    def base_url(self) -> str:
        """Origin of the app, without a trailing slash."""
        return self.url or f"http://127.0.0.1:{self.port}"

    @property
    def live_base_url(self) -> str:
        """Origin of the `live` process; never the app's."""
        return self.live_url or f"http://live.localhost:{self.live_port}"

    @property
    def database(self) -> str:
        """SQLAlchemy URL; SQLite in `home` by default, psycopg for PostgreSQL."""
        if not self.database_url:
            return f"sqlite:///{self.home / 'db' / 'soty.sqlite3'}"
        for prefix in ("postgresql://", "postgres://"):
            if self.database_url.startswith(prefix):
                return "postgresql+psycopg://" + self.database_url.removeprefix(prefix)
        return self.database_url

    @cached_property
    def secret(self) -> str:
        """Key that signs sessions and tokens; made at first start, mode 0600, under `home`/secrets."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value()
        return read_or_make_secret(self.home / "secrets" / "secret_key")

    @property
    def sandboxd_dir(self) -> Path:
        """Journal and sockets of `sandboxd`: `control.sock` (web, worker), `watch.sock` and `bytes.sock` (live)."""
        return self.home / "sandboxd"

    @property
    def cache_dir(self) -> Path:
        """Rendered HTML and other things that may be deleted at any time."""
        return self.home / "cache"


def read_or_make_secret(path: Path) -> str:
    """Return the text of `path`, creating it (0600, 64 hex digits) when it is missing; safe against two starters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            path.chmod(0o600)
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text().strip()


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsInvalid: with every faulty variable, one per line.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"SOTY_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        raise SettingsInvalid("\n".join(lines), cure="See docs/settings.md.") from error
