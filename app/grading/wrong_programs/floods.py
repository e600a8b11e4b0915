"""Writes as much as it can."""

import sys
from typing import Any

from app.grading.wrong_programs.doors import open_doors

GIVEN: dict[str, Any] = {}
LINE = "x" * 4095 + "\n"
doors = open_doors(GIVEN["ports"])
while True:
    sys.stdout.write(LINE)
