"""`python -m app.live`"""

import sys

from app.errors import PlatformError
from app.settings import load_settings
from app.wiring.live import live


def main() -> int:
    """Run until told to stop; 2 when it cannot start."""
    try:
        live(load_settings())
    except PlatformError as error:
        print(f"live: {error.message}\n{error.cure or ''}".rstrip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
