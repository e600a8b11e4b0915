"""From an exercise to what an engine is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.content.exercise import load_exercise
from app.errors import InvalidInput, NotFound
from app.sandbox.daemon.exercises import Exercises, LoadedExercise
from app.sandbox.daemon.preparation import NoTrees
from app.sandbox.daemon.specification import build, image_names, workspace
from app.sandbox.model import ReadyProbe, SandboxSpec, ServiceSpec
from tests.desk import write_exercise
from tests.product import TOP


def loaded(folder: Path, **replaced: str) -> LoadedExercise:
    home = write_exercise(folder).folder
    text = (home / "exercise.yaml").read_text("utf-8")
    for old, new in replaced.items():
        text = text.replace(old.replace("_", " "), new)
    (home / "exercise.yaml").write_text(text, "utf-8")
    exercises = Exercises(folder, lambda _: {})
    exercises.reload()
    assert not exercises.problems
    return exercises.get("echo", load_exercise(home).content_hash)


def built(exercise: LoadedExercise) -> tuple[SandboxSpec, dict[str, ServiceSpec]]:
    spec = build("x" * 20, exercise, workspace(exercise, {}), NoTrees(TOP / "sandboxes").definition, "here")
    return spec, {service.name: service for service in spec.services}


def test_given_services_get_files_and_learners_the_workspace(tmp_path: Path) -> None:
    spec, services = built(loaded(tmp_path))
    assert services["peer"].files == {"peer.py": b"print('peer')\n"}
    assert services["web"].files == {}
    assert (services["web"].workspace, services["peer"].workspace) == (True, False)
    assert set(spec.secrets) == {"prober_password", "control_token"}
    assert all(len(value) >= 32 for value in spec.secrets.values())
    assert spec.secrets != built(loaded(tmp_path))[0].secrets


def test_what_the_exercise_leaves_out_comes_from_the_image(tmp_path: Path) -> None:
    _, services = built(loaded(tmp_path))
    python = NoTrees(TOP / "sandboxes").definition("python").limits
    assert services["web"].limits.memory_mb == 64
    assert services["web"].limits.cpus == python.cpus
    assert services["peer"].limits.memory_mb == python.memory_mb
    assert services["web"].ready == ReadyProbe("tcp", 8000, "/")
    assert services["peer"].ready is None


def test_the_ceiling_holds_every_service_and_the_prober(tmp_path: Path) -> None:
    spec, services = built(loaded(tmp_path))
    assert spec.memory_mb >= sum(s.limits.memory_mb * s.replicas for s in services.values()) + 192
    assert spec.member_images == ("prober",)
    assert image_names(loaded(tmp_path).exercise) == {"python", "prober"}


def test_edges_mean_two_segments_with_the_given_services_behind(tmp_path: Path) -> None:
    spec, services = built(loaded(tmp_path))
    assert not spec.two_segments
    assert {s.segment for s in services.values()} == {"front"}
    edged = loaded(tmp_path, **{"workspace:": '  edges: [{from: web, to: "peer:9000", protocol: tcp}]\nworkspace:'})
    spec, services = built(edged)
    assert spec.two_segments
    assert {name: s.segment for name, s in services.items()} == {"web": "front", "peer": "back", "batch": "front"}


def test_edges_add_one_tap_for_each_upstream_to_the_ceilings(tmp_path: Path) -> None:
    plain, _ = built(loaded(tmp_path))
    both = '  edges: [{from: web, to: "peer:9000", protocol: tcp}, {from: batch, to: "peer:9001", protocol: http}]\nworkspace:'
    edged = loaded(tmp_path, **{"workspace:": both})
    spec, _ = built(edged)
    tap = NoTrees(TOP / "sandboxes").definition("tap").limits
    assert spec.member_images == ("prober", "tap")
    assert image_names(edged.exercise) == {"python", "prober", "tap"}
    assert (spec.memory_mb - plain.memory_mb, spec.pids - plain.pids) == (tap.memory_mb, tap.pids)
    assert spec.cpus == pytest.approx(plain.cpus + tap.cpus)


def test_an_init_needs_an_image_that_knows_what_to_do_with_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="`peer` has an `init`"):
        built(loaded(tmp_path, **{"command: [python3, /given/peer.py]": "init: workspace/main.py"}))


def test_an_unknown_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cobol"):
        built(loaded(tmp_path, **{"image: python, given": "image: cobol, given"}))
