"""`python -m app.sandbox.daemon`"""

import sys

from app.errors import PlatformError
from app.settings import load_settings
from app.wiring.sandboxd import sandboxd


def main() -> int:
    """Run until told to stop; 2 when it cannot start."""
    try:
        sandboxd(load_settings())
    except PlatformError as error:
        print(f"sandboxd: {error.message}\n{error.cure or ''}".rstrip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
