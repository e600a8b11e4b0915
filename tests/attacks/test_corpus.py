"""No attack of the corpus goes untried, and none is tried without its control."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.aftermath import WITHIN
from tests.attacks.corpus import ATTACKS, missing, trials
from tests.attacks.test_grading import BOMBS, PROBER_MB, REDIRECTS
from tests.attacks.test_grading_broker import FLOODS, POISON
from tests.attacks.test_grading_grpc import CALLS, FRAMES
from tests.attacks.test_network import PATIENCE, TARGETS
from tests.product import TOP

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


def test_operators_are_told_the_true_counts() -> None:
    told = " ".join((TOP / "docs" / "operators.md").read_text("utf-8").split())
    answers = (len(BOMBS), len(FRAMES), len(CALLS))
    for count in (
        f"a corpus of {len(ATTACKS)} attacks",
        f"{2 * len(TARGETS)} network targets ({len(TARGETS)} places, two address families",
        f"each refused within {PATIENCE:.0f} s)",
        f"{len(FLOODS) + len(POISON)} floods and poisons of a broker, {len(REDIRECTS)} redirects",
        f"{sum(answers)} kinds of answers that no client should have to read",
        "({} of HTTP, {} of bare HTTP/2, {} of gRPC)".format(*answers),
        f"a prober stays under {PROBER_MB} MiB",
    ):
        assert count in told, count
    assert (WITHIN, "within five seconds" in told) == (5.0, True)
