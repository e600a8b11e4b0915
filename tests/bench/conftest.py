"""The floor and the product's web process, side by side, one worker each; people who are signed in."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert

from app.accounts.model import ApiToken, SignIn, User
from app.db import Database, make_engine, new_id, now
from app.settings import Settings
from tests.product import TOP, eventually, free_port

PEOPLE = 6000
SIGNED_IN = 200


@dataclass
class Server:
    """A gunicorn of one worker. `cold` is the seconds from its start to its first answer."""

    name: str
    app: str
    environment: dict[str, str]
    first: str
    port: int = field(default_factory=free_port)
    cold: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        argv = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", "8", "--no-control-socket",
                "--log-level", "error", "-b", f"127.0.0.1:{self.port}", self.app]  # fmt: skip
        began = time.monotonic()
        self.process = subprocess.Popen(argv, cwd=TOP, env={**os.environ, **self.environment}, stderr=subprocess.DEVNULL)
        eventually(f"{self.name} answers", lambda: httpx.get(self.url + self.first, timeout=2).status_code == 200, every=0.005)
        self.cold = time.monotonic() - began

    def worker_pid(self) -> int:
        assert self.process is not None
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(15)


@dataclass(frozen=True)
class Sides:
    """Both servers, and what tells the product who asks: people who are signed in, and API tokens."""

    floor: Server
    product: Server
    cookies: tuple[str, ...]
    tokens: tuple[str, ...]


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both servers, started, with thousands of people in the product's database."""
    place = tmp_path_factory.mktemp("bench")
    floor = Server("floor", "tests.bench.floor:app", {"FLOOR_DB": str(place / "floor.sqlite3")}, "/hello")
    port = free_port()
    # The filter of the sandbox, the engine and the worker stay out: this measures pages.
    # As behind a proxy, so that a crowd is not one address, which would soon have read enough.
    environment = {"SOTY_PROXIES": "1", "SOTY_HOME": str(place / "home"), "SOTY_PORT": str(port), "SOTY_LOG_LEVEL": "error"}
    prepared = subprocess.run(
        [sys.executable, "-m", "app.launch.prepare"],
        cwd=TOP,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    assert prepared.returncode == 0
    tokens, cookies = people(Settings(home=place / "home"), PEOPLE, SIGNED_IN)
    product = Server("product", "wsgi:app", environment, "/healthz", port)
    try:
        floor.start()
        product.start()
        yield Sides(floor, product, cookies, tokens)
    finally:
        product.stop()
        floor.stop()


def hashed(token: str) -> str:
    """As tokens are stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def people(settings: Settings, count: int, signed_in: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """So many learners with an API token each; the first ones are signed in as well: tokens, and cookies."""
    engine = make_engine(settings.database)
    tokens = [f"soty_{secrets.token_urlsafe(32)}" for _ in range(count)]
    ids = [new_id() for _ in tokens]
    sessions = {secrets.token_urlsafe(32): key for key in ids[:signed_in]}
    with Database(engine).transaction() as session:
        session.execute(insert(User), [{"id": key, "name": f"learner {n}", "name_key": f"learner {n}", "password_hash": "-"}
                                       for n, key in enumerate(ids)])  # fmt: skip
        session.execute(insert(ApiToken), [{"id": new_id(), "user_id": key, "token_hash": hashed(token)}
                                           for key, token in zip(ids, tokens, strict=True)])  # fmt: skip
        session.execute(insert(SignIn), [{"token_hash": hashed(token), "user_id": key, "expires_at": now() + timedelta(days=1)}
                                         for token, key in sessions.items()])  # fmt: skip
    engine.dispose()
    return tuple(tokens), tuple(f"soty_session={token}" for token in sessions)
