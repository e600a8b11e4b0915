"""`./soty exercise watch`: after each save, what changed is tried anew in sandboxes, and the matrix shows what came of it."""

from __future__ import annotations

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from app.cli.matrix_view import matrix_lines, row_line, summary
from app.cli.said import Remarks
from app.content.exercise import Exercise, authored_files, load_exercise
from app.content.exercise_faults import exercise_faults
from app.errors import ContentInvalid, NotFound, PlatformError
from app.grading.local import LocalGrader
from app.grading.matrix import Matrix, Outdated, Row
from app.grading.prover import AT_ONCE
from app.settings import Settings

LOOK_EVERY = 0.25  #: seconds between two looks at the files and the matrix
SHOWN_FAULTS = 8
_CLEAR = "\x1b[H\x1b[2J"


def watch(settings: Settings, exercise_id: str, engine: str | None) -> int:
    """Until Ctrl-C, which ends every sandbox.

    Raises:
        NotFound: there is no such exercise.
    """
    folder = settings.exercises_dir / exercise_id
    if not (folder / "exercise.yaml").is_file():
        raise NotFound(f"There is no exercise `{exercise_id[:64]}`.")
    with suppress(KeyboardInterrupt), LocalGrader(settings, engine=engine, progress=Remarks()) as grader:
        Watch(grader, folder, Screen(exercise_id)).run()
    return 0


class Screen:
    """Where the matrix appears: redrawn in a terminal, line by line elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._live = sys.stdout.isatty()
        self._drawn = -1
        self._told: set[int] = set()
        self._faults: list[str] = []
        self._summed = True

    def faults(self, faults: list[str]) -> None:
        """What is wrong with the files now; plain output says it once."""
        if not self._live:
            for fault in faults:
                if fault not in self._faults:
                    print(fault, flush=True)
        self._faults, self._drawn = faults, -1

    def draw(self, matrix: Matrix) -> None:
        """Show what is new."""
        if matrix.changes != self._drawn:
            self._drawn = matrix.changes
            (self._redraw if self._live else self._tell)(matrix)

    def _redraw(self, matrix: Matrix) -> None:
        size = shutil.get_terminal_size()
        more = len(self._faults) - SHOWN_FAULTS
        faults = [
            *self._faults[:SHOWN_FAULTS],
            *([f"and {more} more: ./soty exercise check {self._title}"] if more > 0 else []),
        ]
        lines = [f"{self._title}: {summary(matrix)}. Ctrl-C ends.", "", *matrix_lines(matrix, size.columns), "", *faults]
        sys.stdout.write(_CLEAR + "\n".join(line[: size.columns] for line in lines[: size.lines - 1]) + "\n")
        sys.stdout.flush()

    def _tell(self, matrix: Matrix) -> None:
        for row in matrix.rows:
            if row.state == "done" and id(row) not in self._told:
                self._told.add(id(row))
                self._summed = False
                print(row_line(row, matrix.checks), flush=True)
        if matrix.settled and not self._summed:
            self._summed = True
            print(f"{self._title}: {summary(matrix)}", flush=True)


class Watch:
    """Tries what changed, `AT_ONCE` solutions at a time.

    Args:
        folder: of the exercise.
    """

    def __init__(self, grader: LocalGrader, folder: Path, screen: Screen) -> None:
        self._grader, self._folder, self._screen = grader, folder, screen
        self._matrix = Matrix()
        self._stamp: frozenset[tuple[str, int, int]] = frozenset()

    def run(self) -> None:
        """Until Ctrl-C."""
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="watch")
        try:
            while True:
                if (stamp := _stamp(self._folder)) != self._stamp:
                    self._stamp = stamp
                    self._renew(pool)
                self._screen.draw(self._matrix)
                time.sleep(LOOK_EVERY)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _renew(self, pool: ThreadPoolExecutor) -> None:
        try:
            exercise = load_exercise(self._folder)
            faults = exercise_faults(exercise)
        except ContentInvalid as error:
            self._screen.faults([str(problem) for problem in error.problems])
            return
        except (OSError, UnicodeDecodeError) as error:  # an editor is half-way through a save; its end is another change
            self._screen.faults([f"{self._folder.name}: {error}"])
            return
        self._screen.faults([str(fault) for fault in faults])
        self._grader.reload()
        for row in self._matrix.renew(exercise):
            pool.submit(self._try, exercise, row)

    def _try(self, exercise: Exercise, row: Row) -> None:
        with suppress(Outdated):
            self._matrix.begin(row)
            try:
                report = self._grader.grade(exercise, row.trial.files, on_event=lambda event: self._matrix.hear(row, event))
            except PlatformError as error:
                if error.code == "content-changed":  # another solution was saved meanwhile: this one is as it was
                    self._again(row)
                else:
                    self._matrix.give_up(row, error.message)
                return
            self._matrix.finish(row, report)

    def _again(self, row: Row) -> None:
        try:
            exercise = load_exercise(self._folder)
        except ContentInvalid:
            self._matrix.give_up(row, "the exercise cannot be read")
            return
        self._grader.reload()
        self._try(exercise, row)


def _stamp(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Changes with every save; a file that is gone a moment later is left out."""
    found = set()
    for path in authored_files(folder):
        if path.name != "proof.json":
            with suppress(OSError):
                status = path.stat()
                found.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(found)
