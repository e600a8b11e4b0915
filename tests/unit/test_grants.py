"""Tickets: what they allow, how long, how often."""

from __future__ import annotations

import base64
import json
import stat
import time
from pathlib import Path

import pytest

from app.errors import Unavailable
from app.sandbox.grants import (
    LIFETIME_SECONDS,
    Kind,
    TicketMint,
    TicketRefused,
    TicketVerifier,
    private_key_path,
    public_key_path,
)

HERE = "http://live.localhost:8001"


def mint(home: Path, **changes: str) -> str:
    values = {"user": "ada", "sandbox": "s1", "service": "web", "audience": HERE, **changes}
    return TicketMint.open(home).mint(kind=Kind.LOGS, **values)


def test_a_ticket_tells_what_it_is_for_once(tmp_path: Path) -> None:
    ticket = mint(tmp_path)
    verifier = TicketVerifier(public_key_path(tmp_path), HERE)
    grant = verifier.redeem(ticket)
    assert (grant.user, grant.sandbox, grant.service, grant.kind) == ("ada", "s1", "web", Kind.LOGS)
    with pytest.raises(TicketRefused):
        verifier.redeem(ticket)
    # Somebody else's verifier (sandboxd beside live) sees it for the first time
    assert TicketVerifier(public_key_path(tmp_path), HERE).redeem(ticket) == grant


def test_it_runs_out_and_is_not_good_elsewhere(tmp_path: Path) -> None:
    key = public_key_path(tmp_path)
    ticket, elsewhere = mint(tmp_path), mint(tmp_path, audience="http://live.localhost:9")
    for seconds, audience, good in (
        (LIFETIME_SECONDS + 1, HERE, ticket),
        (-120, HERE, ticket),
        (0, HERE, elsewhere),
        (0, "http://other", ticket),
    ):
        with pytest.raises(TicketRefused):
            TicketVerifier(key, audience, clock=lambda s=seconds: time.time() + s).redeem(good)
    assert TicketVerifier(key, HERE, clock=lambda: time.time() + LIFETIME_SECONDS - 2).redeem(ticket)


def test_nobody_can_change_or_make_one(tmp_path: Path) -> None:
    payload, signature = mint(tmp_path).split(".")
    data = json.loads(base64.urlsafe_b64decode(payload + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**data, "kind": "terminal"}).encode()).rstrip(b"=").decode()
    stranger = mint(tmp_path / "stranger")
    verifier = TicketVerifier(public_key_path(tmp_path), HERE)
    forgeries = [
        f"{other}.{signature}",
        stranger,
        payload,
        f"{payload}.",
        f".{signature}",
        f"{payload}.{signature}.x",
        "é.é",
        "",
    ]
    for forged in forgeries:
        with pytest.raises(TicketRefused):
            verifier.redeem(forged)
    assert verifier.redeem(f"{payload}.{signature}")


def test_used_tickets_are_forgotten_when_they_have_run_out(tmp_path: Path) -> None:
    now = [0.0]
    verifier = TicketVerifier(public_key_path(tmp_path), HERE, clock=lambda: time.time() + now[0])
    for _ in range(50):
        verifier.redeem(mint(tmp_path))
    now[0] = -5.0
    assert len(verifier._used) == 50
    now[0] = LIFETIME_SECONDS + 1.0
    with pytest.raises(TicketRefused):
        verifier.redeem(mint(tmp_path))
    now[0] = LIFETIME_SECONDS - 1.0
    verifier.redeem(mint(tmp_path))
    assert len(verifier._used) <= 51


def test_the_private_key_is_private_and_survives(tmp_path: Path) -> None:
    ticket = mint(tmp_path)
    assert stat.S_IMODE(private_key_path(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(public_key_path(tmp_path).stat().st_mode) == 0o644
    assert private_key_path(tmp_path).read_bytes() not in public_key_path(tmp_path).read_bytes()
    mint(tmp_path)
    assert TicketVerifier(public_key_path(tmp_path), HERE).redeem(ticket)


def test_before_the_app_has_made_its_key_nothing_is_accepted(tmp_path: Path) -> None:
    stranger = mint(tmp_path / "stranger")
    with pytest.raises(Unavailable):
        TicketVerifier(public_key_path(tmp_path), HERE).redeem(stranger)
