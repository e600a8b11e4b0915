"""No attack of the corpus goes untried, and none is tried without its control."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.corpus import ATTACKS, missing, trials

HALF = """
from tests.attacks.corpus import attack

def weakened(): ...

@attack("S01", control="weakened")
def test_one(): ...

@attack("S02", control="nobody")
def test_two(): ...

@attack("S99", control="weakened")
def test_three(): ...
"""


def test_every_attack_has_a_test_and_a_control() -> None:
    assert not missing(trials())


def test_a_gap_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "test_half.py").write_text(HALF)
    faults = missing(trials(tmp_path))
    assert "test_half.py::test_two: there is no `nobody` to control it" in faults
    assert "test_half.py::test_three: S99 is not an attack" in faults
    assert len(faults) == 2 + len(ATTACKS) - 2
