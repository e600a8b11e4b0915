"""The same corpus for somebody who starts Soty without root: the attacks on the engine, and a share of the gradings."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.attacks.conftest import OUTCOMES
from tests.attacks.corpus import ATTACKS
from tests.product import TEST_HOME, TOP

ACCOUNT = "nobody"
ENGINE = ("escape", "network", "files", "exhaustion", "lifecycle", "refusal", "taps")
#: Of the gradings those whose protection is another one for an ordinary user: what can be read, reached and told apart.
GRADINGS = "g01_g02_forged or g03 or g04 or g05 or g07 or g10"
SECONDS = 420


@pytest.mark.skipif(os.geteuid() != 0, reason="this is the run as an ordinary user already")
def test_the_corpus_holds_for_an_ordinary_user(elsewhere: dict[str, Counter[str]], store: object) -> None:
    person = pwd.getpwnam(ACCOUNT)
    with tempfile.TemporaryDirectory(prefix="soty-ordinary-") as folder:
        os.chown(folder, person.pw_uid, person.pw_gid)
        outcomes = Path(folder) / "outcomes.json"
        files = [f"tests/attacks/test_{name}.py" for name in (*ENGINE, "grading", "grading_broker")]
        wanted = " or ".join((*(f"test_{name}.py" for name in ENGINE), GRADINGS))
        argv = [sys.executable, "-m", "pytest", *files, "-k", wanted, "-q", "--no-header", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*argv, f"--basetemp={folder}/t"], cwd=TOP, user=person.pw_uid, group=person.pw_gid, extra_groups=[],
            env={**os.environ, "HOME": folder, OUTCOMES: str(outcomes), "SOTY_TEST_HOME": str(TEST_HOME),
                 "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        print(done.stdout.splitlines()[-1])
        elsewhere.update({one: Counter(ended) for one, ended in json.loads(outcomes.read_text()).items()})
    assert {one for one in ATTACKS if one.startswith("S")} <= set(elsewhere)
