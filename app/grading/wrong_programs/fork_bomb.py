"""Starts as many processes as it may, each of which does the same."""

import os
import time
from typing import Any

from app.grading.wrong_programs.doors import open_doors

GIVEN: dict[str, Any] = {}
doors = open_doors(GIVEN["ports"])
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(1.0)
