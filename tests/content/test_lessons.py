"""The course as it is in the repository has no fault, and every fault that an author may make is found, all at once."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.content.catalog import Catalog
from app.content.generation import ask_for_reload
from app.content.library import Library, load_catalog
from app.content.text import LANGS
from app.settings import Settings
from tests.product import TOP

LESSONS, EXERCISES = TOP / "lessons", TOP / "exercises"
FIRST = "m01/m01-l01-one-system-two-shapes"


@pytest.fixture(scope="module")
def course(cache: Path) -> Catalog:
    return load_catalog(LESSONS, EXERCISES, cache)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The course in a place where it may be broken; written lessons of the first module alone, for speed."""
    target = tmp_path / "lessons"
    shutil.copytree(LESSONS, target, ignore=lambda folder, names: [n for n in names if re.match(r"m(?!01)\d\d-l\d\d-", n)])
    return target


def edit(path: Path, old: str, new: str, count: int = 1) -> int:
    """Replace text that must be there; the line of its first place."""
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, count))
    return text[: text.index(old)].count("\n") + 1


def told(catalog: Catalog) -> list[str]:
    return [str(problem) for problem in (*catalog.problems, *catalog.remarks)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered texts of this module's tests: what a test did not touch is not rendered again."""
    return tmp_path_factory.mktemp("cache")


def test_the_course_has_no_faults_and_keeps_its_standard(course: Catalog) -> None:
    assert told(course) == []


def test_every_lesson_that_this_version_promises_can_be_read_in_both_languages(course: Catalog) -> None:
    promised = [
        *(f"m01-l0{n}" for n in range(1, 10)),
        *(f"m04-l0{n}" for n in range(1, 4)),
        *(f"m05-l0{n}" for n in range(1, 5)),
        "m07-l06",
    ]
    assert set(promised) <= set(course.lessons)
    for lesson in course.lessons.values():
        for lang in LANGS:
            assert lesson.text(lang).pieces
            assert lesson.text(lang).lang == lang


def test_links_lead_to_pages_and_to_what_is_planned(course: Catalog) -> None:
    for lesson in course.lessons.values():
        for lang in LANGS:
            for piece in lesson.text(lang).pieces:
                assert not re.search(r'href="(lesson|exercise):', piece.html)
                for kind, key in re.findall(r'href="/(lesson|exercise)s/([a-z0-9-]+)', piece.html):
                    assert key in (course.lessons if kind == "lesson" else course.exercises.exercises)
                for key in re.findall(r'href="/course#([a-z0-9-]+)"', piece.html):
                    assert course.entry(key) or course.exercise_entry(key)


def test_nothing_before_an_answer_tells_the_right_one(course: Catalog) -> None:
    for lesson in course.lessons.values():
        for quiz in lesson.quizzes:
            for option in quiz.options:
                assert all(option.why not in piece.html for piece in lesson.text("en").pieces)


BREAKS: dict[str, tuple[Callable[[Path], int], str]] = {
    "an unknown key": (lambda f: edit(f, "minutes: 8", "minutes: 8\nseed: 4"), "unknown key `seed`"),
    "a missing key": (lambda f: edit(f, "level: easy\n", "") and 0, "`level` is missing"),
    "a bad value": (lambda f: edit(f, "level: easy", "level: trivial"), "`level`"),
    "YAML that is none": (lambda f: edit(f, 'title: "', 'title: ""'), "not valid YAML"),
    "another title": (lambda f: edit(f, 'title: "', 'title: "X '), "differs from the heading"),
    "a dead link": (lambda f: edit(f, "(lesson:m01-l02)", "(lesson:m99-l02)"), "leads nowhere"),
    "a dead prerequisite": (
        lambda f: edit(f, "prerequisites: []", "prerequisites: [m99-l01]"),
        "`prerequisites` is [] here and ['m99-l01'] in English",
    ),
    "a diagram without words": (lambda f: edit(f, "    accDescr:", "    %% accDescr:") and 0, "has no `accDescr:`"),
    "a diagram with styles": (
        lambda f: edit(f, "flowchart LR", "flowchart LR\n    %%{init: {}}%%") and 0,
        "not allowed in a diagram",
    ),
    "a quiz of another shape": (lambda f: edit(f, "type: number\n", "type: single\n") and 0, "do not belong to a quiz of type"),
    "a quiz without a right option": (lambda f: edit(f, "    correct: true\n", "") and 0, "exactly one option must be correct"),
    "an option without a reason": (lambda f: edit(f, "    why:", "    because:") and 0, "unknown key"),
    "a heading too many": (lambda f: edit(f, "\n## ", "\n## More\n\n## ") and 0, "headings differ"),
    "an open block": (lambda f: edit(f, "\n:::\n", "\n") and 0, "never closed"),
    "raw styles of a link": (lambda f: edit(f, "(lesson:m01-l02)", "(javascript:alert)"), "a link must be"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_lesson_is_named_with_its_line_and_withheld_while_the_rest_is_served(
    copy: Path, cache: Path, name: str
) -> None:
    # Given one broken lesson
    breaks, what = BREAKS[name]
    line = breaks(copy / FIRST / "lesson.en.md")
    # When the course is loaded
    catalog = load_catalog(copy, copy / "none", cache)
    # Then the fault is told with its file and line, and only this lesson is missing
    assert any(what in text and text.startswith(f"lessons/{FIRST}/lesson.") for text in told(catalog)), told(catalog)
    if line > 1:
        assert any(problem.line in (line, line + 1) for problem in catalog.problems), (line, told(catalog))
    assert "m01-l01" not in catalog.lessons
    assert "m01-l02" in catalog.lessons
    entry = catalog.entry("m01-l01")
    assert entry is not None
    assert entry.lesson is None


def test_all_faults_are_told_at_once(copy: Path, cache: Path) -> None:
    # Given faults of many kinds in many places
    edit(copy / FIRST / "lesson.en.md", "minutes: 8", "minutes: eight")
    edit(copy / FIRST / "lesson.en.md", "type: number", "type: guess")
    edit(copy / FIRST / "lesson.ru.md", "order: 1", "order: 2")
    (copy / "m01/m01-l02-definition-piece-by-piece/lesson.ru.md").unlink()
    edit(copy / "m02/module.yaml", "outcome:", "outcomes:")
    edit(copy / "course.yaml", "  - m03\n", "  - m03\n  - m03\n")
    # Then one look shows them all
    text = "\n".join(told(load_catalog(copy, copy / "none", cache)))
    for what in ("`minutes`", "`type`", "this language is missing", "unknown key `outcomes`", "module `m03` is named twice"):
        assert what in text, text


def test_prerequisites_in_a_circle_withhold_all_of_it(copy: Path, cache: Path) -> None:
    for number, needs in ((1, 2), (2, 1)):
        for path in copy.glob(f"m01/m01-l0{number}-*/lesson.*.md"):
            path.write_text(re.sub(r"^prerequisites: .*$", f"prerequisites: [m01-l0{needs}]", path.read_text(), flags=re.M))
    catalog = load_catalog(copy, copy / "none", cache)
    assert {"m01-l01", "m01-l02"}.isdisjoint(catalog.lessons)
    assert any("circle: m01-l0" in text for text in told(catalog))


def test_what_falls_short_of_the_standard_is_remarked_but_served(copy: Path, cache: Path) -> None:
    for path in copy.glob(f"{FIRST}/lesson.*.md"):
        head, body = path.read_text().split("\n## ", 1)
        path.write_text(f"{head}\n## {body.split(chr(10))[0]}\n")
    catalog = load_catalog(copy, copy / "none", cache)
    assert "m01-l01" in catalog.lessons
    assert any("words of prose" in str(remark) for remark in catalog.remarks)
    assert any("0 quizzes" in str(remark) for remark in catalog.remarks)


def test_a_second_load_comes_from_the_cache_and_a_damaged_entry_is_made_anew(copy: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = load_catalog(copy, copy / "none", cache)
    entries = sorted(cache.rglob("*.json"))
    assert len(entries) == 2 * len(first.lessons)
    stamps = [entry.stat().st_mtime_ns for entry in entries]
    assert load_catalog(copy, copy / "none", cache).lessons == first.lessons
    assert [entry.stat().st_mtime_ns for entry in entries] == stamps
    entries[0].write_text("{")
    assert load_catalog(copy, copy / "none", cache).lessons == first.lessons
    assert entries[0].read_text() != "{"


def test_a_running_process_reloads_when_told_and_survives_a_broken_course_file(copy: Path, tmp_path: Path) -> None:
    # Given a process that serves the course
    settings = Settings(home=tmp_path / "home", lessons_dir=copy, exercises_dir=copy / "none")
    library = Library(settings)
    before = library.catalog
    assert library.catalog is before
    # When an author changes a title and asks for a reload
    for path in copy.glob(f"{FIRST}/lesson.en.md"):
        edit(path, "# One system, two shapes", "# Two shapes")
        edit(path, 'title: "One system, two shapes"', 'title: "Two shapes"')
    ask_for_reload(settings.home)
    # Then within two seconds the process has it
    after = eventually(lambda: library.catalog, lambda catalog: catalog is not before)
    assert after.lessons["m01-l01"].text("en").front.title == "Two shapes"
    # And a course file that cannot be read is told, while the lessons stay
    (copy / "course.yaml").write_text("modules: [")
    ask_for_reload(settings.home)
    broken = eventually(lambda: library.catalog, lambda catalog: catalog is not after)
    assert set(broken.lessons) == set(after.lessons)
    assert any("lessons/course.yaml" in str(problem) for problem in broken.problems)


def eventually(look: Callable[[], Catalog], holds: Callable[[Catalog], bool]) -> Catalog:
    deadline = time.monotonic() + 5
    while not holds(found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found
