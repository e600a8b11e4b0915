"""Entry of a tap inside a sandbox: `python3 -I /member/run.py`."""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
sys.path.insert(0, str(HOME))
# A tap never speaks TLS itself; without the library its process is some 5 MiB smaller. asyncio can do without.
sys.modules["ssl"] = None  # type: ignore[assignment]  # None makes its import fail

from proxy.main import main  # type: ignore[import-not-found]  # noqa: E402 - found below HOME

sys.exit(main(HOME))
