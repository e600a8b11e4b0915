"""Is there, takes connections, and does nothing for ever."""

import time
from typing import Any

from app.grading.wrong_programs.doors import open_doors

GIVEN: dict[str, Any] = {}
doors = open_doors(GIVEN["ports"])
while True:
    time.sleep(3600)
