"""The figures of a proof as people read them. What the wrong solutions are stays untold."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date
from flask_babel import gettext as _
from flask_babel import ngettext

from app.content.proof import Proof
from app.web.language import lang


def proof_day(proof: Proof) -> str:
    """When it was made: `28 November 2026`."""
    return format_date(datetime.fromisoformat(proof.proved_at), "long", locale=lang())


def everywhere_wrong(proof: Proof) -> str:
    """How many of the platform's own wrong solutions were rejected."""
    return ngettext("%(num)s program that is wrong everywhere was rejected too.",
                    "%(num)s programs that are wrong everywhere were rejected too.", len(proof.automatic))  # fmt: skip


def proof_figures(proof: Proof) -> list[str]:
    """What was tried and what came of it, one sentence each."""
    accepted, rejected, seconds = len(proof.accepted), len(proof.mutants), round(proof.usual_seconds)
    return [
        _("The reference passed %(passed)s of %(runs)s runs, and %(stressed)s of %(stress)s on a busy machine.",
          passed=proof.reference_passed, runs=proof.reference_runs, stressed=proof.stress_passed, stress=proof.stress_runs),
        ngettext("%(num)s right solution in another style was accepted.",
                 "%(num)s right solutions in other styles were accepted.", accepted),
        ngettext("%(num)s known wrong solution was rejected by the check named for it.",
                 "%(num)s known wrong solutions were rejected by the checks named for them.", rejected),
        everywhere_wrong(proof),
        ngettext("Checking usually takes %(num)s second; engine: %(engine)s.",
                 "Checking usually takes %(num)s seconds; engine: %(engine)s.", seconds, engine=proof.engine),
    ]  # fmt: skip
