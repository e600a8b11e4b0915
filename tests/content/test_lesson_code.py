"""Every Python and .proto block of every lesson really runs, in a sandbox as a learner has it; JSON and YAML parse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from app.content.blocks import Fence
from app.content.code import is_parsed, is_run, lesson_fences
from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.model import Limits, ReadyProbe, ServiceSpec, ServiceState
from tests import pods
from tests.product import TOP

TEXTS = sorted((TOP / "lessons").glob("*/*/lesson.*.md"))
NAMES = [f"{path.parent.name}-{path.name.split('.')[1]}" for path in TEXTS]
DRIVER = (Path(__file__).parent / "lesson_driver.py").read_text()
SECONDS = 90.0  #: of one lesson


def executed(path: Path) -> list[Fence]:
    """The blocks of a lesson that are run or compiled, in reading order."""
    return [f for f in lesson_fences(path) if is_run(f) or (f.language == "proto" and is_parsed(f))]


@pytest.mark.engine("embedded")
@pytest.mark.anyio
@pytest.mark.parametrize("path", [path for path in TEXTS if executed(path)], ids=lambda p: f"{p.parent.name[:7]}-{p.name[7:9]}")
async def test_the_code_of_a_lesson_runs_and_prints_what_the_text_claims(embedded: EmbeddedEngine, path: Path) -> None:
    # Given the lesson's blocks, and a sandbox with what they need
    blocks = executed(path)
    reader = ServiceSpec(
        "reader", "python", (pods.PYTHON, "-c", "import time; time.sleep(600)"), limits=Limits(memory_mb=512, cpus=2, pids=128)
    )
    services = [reader]
    if any("broker" in block.attributes for block in blocks):
        services.append(
            ServiceSpec(
                "rabbitmq",
                "rabbitmq",
                given=True,
                ready=ReadyProbe("amqp", 5672),
                limits=Limits(memory_mb=320, cpus=2, pids=128, nofile=4096),
            )
        )
    if any("database" in block.attributes for block in blocks):
        services.append(
            ServiceSpec(
                "postgres",
                "postgres",
                given=True,
                ready=ReadyProbe("postgres", 5432),
                limits=Limits(memory_mb=256, cpus=2, pids=96),
            )
        )
    spec = pods.sandbox(*services, cpus=2.0, secrets={"prober_password": "nobody-checks-here"})
    await pods.started(embedded, spec)
    try:
        states = (ServiceState.READY, ServiceState.CRASHED, ServiceState.FAILED)
        status = await pods.until(embedded, spec, "up", lambda now: all(s.state in states for s in now.services), within=60)
        log = await embedded.logs(spec.id, services[-1].name)
        assert status.ready, (status, log)
        # When they run one after another
        plan = [
            {
                "language": b.language,
                "text": b.text,
                "file": b.attributes.get("file", ""),
                "port": b.attributes.get("port", ""),
                "background": "background" in b.attributes,
            }
            for b in blocks
        ]
        outcome = await embedded.exec(
            spec.id,
            "reader",
            [pods.PYTHON, "-c", DRIVER, "/data"],
            stdin=json.dumps(plan).encode(),
            env={
                "AMQP_URL": "amqp://learner:learner@rabbitmq:5672/%2F",
                "PG_DSN": "postgresql://learner@postgres:5432/shop",
                "PYTHONPATH": "/data",
            },
            timeout=SECONDS,
        )
    finally:
        await embedded.stop(spec.id)
    # Then each one ended well and printed what it promised
    assert outcome.exit_code == 0, outcome
    results = json.loads(outcome.stdout)
    for block, result in zip(blocks, results, strict=False):
        assert result["exit_code"] == 0, f"{path.parent.name}/{path.name}:{block.line}: {result}"
        expected = block.attributes.get("expect", "")
        assert expected in result["stdout"], f"{path.parent.name}/{path.name}:{block.line} printed {result['stdout']}"
    assert len(results) == len(blocks)


@pytest.mark.parametrize("path", TEXTS, ids=NAMES)
def test_the_json_and_yaml_of_a_lesson_parse(path: Path) -> None:
    for fence in lesson_fences(path):
        if is_parsed(fence) and fence.language == "json":
            json.loads(fence.text)
        elif is_parsed(fence) and fence.language == "yaml":
            list(yaml.safe_load_all(fence.text))


def test_most_code_of_the_course_is_run_and_excerpts_are_rare() -> None:
    fences = [fence for path in TEXTS for fence in lesson_fences(path) if fence.language == "python"]
    excerpts = [fence for fence in fences if not is_run(fence)]
    assert len(fences) > 50
    assert len(excerpts) <= len(fences) / 5
