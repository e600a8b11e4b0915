"""Entry of the prober inside a sandbox: `python3 -I /member/run.py`."""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
sys.path.insert(0, str(HOME))

from grading.prober.runner import main  # type: ignore[import-not-found]  # noqa: E402

sys.exit(main(HOME))
