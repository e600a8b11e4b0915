"""Run as the account that owns the database: secrets, migrations, the first administrator. Prints a new password, if any."""

from __future__ import annotations

import sys

from app.errors import PlatformError
from app.settings import load_settings
from app.wiring.prepare import prepare


def main() -> int:
    """Entry of `python -m app.launch.prepare`."""
    try:
        password = prepare(load_settings())
    except PlatformError as error:
        print(f"{error.message}\n{error.cure or ''}".rstrip(), file=sys.stderr)
        return 2
    if password:
        print(password)
    return 0


if __name__ == "__main__":
    sys.exit(main())
