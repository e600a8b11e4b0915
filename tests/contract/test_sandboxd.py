"""What web and worker may rely on: every call goes through the real socket and the real client."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import grpc
import pytest

from app.content.proof import proof_path
from app.errors import Conflict, InvalidInput, NotFound, TooMany
from app.sandbox import sandbox_pb2 as pb
from app.sandbox import sandbox_pb2_grpc as rpc
from app.sandbox.admission import Capacity
from app.sandbox.daemon import sandboxes
from app.sandbox.model import OPERATOR, Purpose
from tests.desk import Desk, desk, new_id, service


class TestLaunch:
    def test_it_becomes_ready_in_named_stages(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        assert [stage.name for stage in sandbox.stages] == ["queued", "isolation", "web", "peer"]
        assert all(stage.done and stage.seconds >= 0 for stage in sandbox.stages)
        assert {s.full_name: s.state for s in sandbox.services} == {"web": "ready", "peer": "ready", "batch": "waiting"}
        assert service(sandbox, "peer").given
        assert not service(sandbox, "web").given
        assert sandbox.ready_at <= time.time() < sandbox.idle_at < sandbox.expires_at

    def test_the_same_id_again_changes_nothing(self, daemon: Desk) -> None:
        first = daemon.ready()
        again = daemon.launch(first.id, owner=first.owner)
        assert (again.id, again.created, again.state) == (first.id, first.created, "ready")
        assert len(daemon.client.list().sandboxes) == 1

    def test_two_calls_with_one_id_at_the_same_time_start_one_sandbox(self, daemon: Desk) -> None:
        sandbox_id = new_id()
        callers = [threading.Thread(target=daemon.launch, args=(sandbox_id,)) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        daemon.until(sandbox_id, lambda now: now.state == "ready")
        assert daemon.do(daemon.engine.list()) == [sandbox_id]

    def test_it_starts_from_the_starter_with_the_learners_files_over_it(self, daemon: Desk) -> None:
        sandbox = daemon.ready(files={"main.py": "print('mine')\n"})
        read = lambda path: daemon.do(daemon.engine.get(sandbox.id, "web", f"/workspace/{path}"))  # noqa: E731
        assert read("main.py") == b"print('mine')\n"
        assert read("batch.py") == b"print('batch')\n"

    @pytest.mark.parametrize(
        ("files", "code"),
        [
            ({"batch.py": "x"}, "not-editable"),
            ({"../main.py": "x"}, "not-editable"),
            ({"/etc/passwd": "x"}, "not-editable"),
            ({"main.py": "x" * (64 * 1024 + 1)}, "too-large"),
            ({"main.py": "a\0b"}, "not-text"),
        ],
    )
    def test_it_takes_only_the_exercises_editable_text(self, daemon: Desk, files: dict[str, str], code: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            daemon.launch(files=files)
        assert refused.value.code == code
        assert not daemon.client.list(gone_too=True).sandboxes

    def test_bytes_that_are_not_text_are_refused(self, daemon: Desk) -> None:
        stub = rpc.SandboxdStub(grpc.insecure_channel(f"unix:{daemon.sockets}/control.sock"))
        request = pb.LaunchRequest(
            id=new_id(), exercise_id="echo", content_hash=daemon.exercise.content_hash, purpose="practice", owner="o"
        )  # fmt: skip
        request.files.add(path="main.py", content=b"\xff\xfe")
        with pytest.raises(grpc.RpcError) as refused:
            stub.Launch(request, timeout=5)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    def test_an_unknown_exercise_or_another_hash_is_refused(self, daemon: Desk) -> None:
        launch = daemon.client.launch
        with pytest.raises(NotFound):
            launch(new_id(), exercise_id="no-such", content_hash="x", purpose=Purpose.PRACTICE, owner="o", files={})
        with pytest.raises(Conflict) as refused:
            launch(new_id(), exercise_id="echo", content_hash="x", purpose=Purpose.PRACTICE, owner="o", files={})
        assert refused.value.code == "content-changed"
        assert "content reload" in str(refused.value.cure)

    def test_what_is_not_proven_runs_for_a_proof_and_for_operators_only(self, daemon: Desk) -> None:
        proof_path(daemon.exercise.folder).unlink()
        daemon.client.reload()
        for purpose in (Purpose.PRACTICE, Purpose.GRADING):
            with pytest.raises(Conflict) as refused:
                daemon.launch(purpose=purpose)
            assert (refused.value.code, refused.value.details) == ("not-proven", {"exercise": "echo"})
        assert not daemon.client.list().sandboxes
        assert daemon.ready(purpose=Purpose.PROOF)
        assert daemon.ready(owner=OPERATOR)

    def test_a_running_sandbox_keeps_its_hash_when_the_exercise_is_read_anew(self, daemon: Desk) -> None:
        before = daemon.ready()
        (daemon.home / "exercises" / "echo" / "starter" / "batch.py").write_text("print('new')\n")
        assert daemon.client.reload().exercises == 1
        with pytest.raises(Conflict):
            daemon.launch()
        assert daemon.client.status(before.id).content_hash == before.content_hash
        assert daemon.run(before.id)[-1].finished.verdict == "passed"

    def test_a_second_practice_sandbox_names_the_first(self, daemon: Desk) -> None:
        first = daemon.ready(owner="ada")
        with pytest.raises(TooMany) as refused:
            daemon.launch(owner="ada")
        assert refused.value.details == {"sandbox": first.id, "exercise": "echo"}
        # A grading is not counted, and a place is free as soon as the first one is asked to end.
        assert daemon.ready(owner="ada", purpose=Purpose.GRADING)
        daemon.client.stop(first.id)
        assert daemon.ready(owner="ada")

    @pytest.mark.parametrize("sandbox_id", ["", "short", "../../etc/passwd", "a" * 41, "UPPER-CASE-ID"])
    def test_an_id_is_20_plain_characters_or_so(self, daemon: Desk, sandbox_id: str) -> None:
        with pytest.raises(InvalidInput):
            daemon.client.launch(
                sandbox_id, exercise_id="echo", content_hash=daemon.exercise.content_hash, purpose=Purpose.PRACTICE, owner="o",
                files={},
            )  # fmt: skip


class TestQueue:
    def test_who_waits_sees_a_place_and_a_time_and_starts_when_one_is_free(self, tmp_path: Path) -> None:
        # Given room for two, both taken
        with desk(tmp_path, capacity=Capacity(memory_mb=100_000, slots=2, checking=1)) as daemon:
            first, second = daemon.ready(), daemon.ready()
            # When two more come
            third, fourth = daemon.launch(), daemon.launch()
            # Then they see where they stand
            assert (third.state, third.queue_position, fourth.queue_position) == ("queued", 1, 2)
            assert 0 < third.queue_seconds <= daemon.client.status(fourth.id).queue_seconds
            # And move up
            daemon.client.stop(first.id)
            daemon.until(third.id, lambda now: now.state == "ready")
            assert daemon.client.status(fourth.id).queue_position == 1
            # And one who gives up leaves the queue
            daemon.client.stop(fourth.id)
            daemon.until(fourth.id, lambda now: now.state == "gone")
            assert daemon.client.status(second.id).state == "ready"

    def test_what_can_never_fit_is_refused_at_once(self, tmp_path: Path) -> None:
        with desk(tmp_path, capacity=Capacity(memory_mb=100, slots=2, checking=1)) as daemon:
            with pytest.raises(Conflict) as refused:
                daemon.launch()
            assert refused.value.code == "sandbox-too-big"
            assert not daemon.client.list(gone_too=True).sandboxes


class TestUse:
    def test_a_save_changes_nothing_until_the_service_is_restarted(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        old = sandbox.files_revision
        saved = daemon.client.apply(sandbox.id, {"main.py": "print(2)\n"})
        assert saved.files_revision != old
        assert service(daemon.client.status(sandbox.id), "web").files_revision == old
        daemon.client.apply(sandbox.id, {"main.py": "print(2)\n"}, restart=True)
        now = daemon.until(sandbox.id, lambda now: service(now, "web").files_revision == saved.files_revision)
        assert service(now, "batch").state == "waiting"
        assert daemon.engine.restarted == ["web"]

    def test_services_can_be_controlled_one_by_one(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        for action, state in (
            ("pause", "paused"),
            ("resume", "ready"),
            ("kill", "crashed"),
            ("start", "ready"),
            ("stop", "stopped"),
        ):
            daemon.client.control(sandbox.id, "web", action)
            daemon.until(sandbox.id, lambda now, state=state: service(now, "web").state == state)
        daemon.client.control(sandbox.id, "web", "scale", replicas=3)
        daemon.until(sandbox.id, lambda now: [s.full_name for s in now.services].count("web-3") == 1)

    def test_what_makes_no_sense_is_refused_with_a_reason(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        with pytest.raises(NotFound):
            daemon.client.control(sandbox.id, "nobody", "kill")
        with pytest.raises(NotFound):
            daemon.client.control("nosuchsandbox", "web", "kill")
        with pytest.raises(InvalidInput, match="pause"):
            daemon.client.control(sandbox.id, "web", "explode")
        for name, replicas in (("web", 5), ("web", -1), ("peer", 2)):
            with pytest.raises(InvalidInput):
                daemon.client.control(sandbox.id, name, "scale", replicas=replicas)
        with pytest.raises(InvalidInput):
            daemon.client.stop(sandbox.id, "Not A Reason")

    def test_logs_come_in_pages(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        daemon.engine.write_log(sandbox.id, "web", b"x" * 1000)
        page = daemon.client.logs(sandbox.id, "web", offset=8, limit=100)
        assert (page.data, page.offset, page.next_offset) == (b"x" * 100, 8, 108)
        with pytest.raises(InvalidInput):
            daemon.client.logs(sandbox.id, "web", offset=-1)

    def test_the_list_is_by_owner_and_purpose_and_keeps_the_gone_for_ten_minutes(self, daemon: Desk) -> None:
        mine = daemon.ready(owner="ada")
        grading = daemon.ready(owner="ada", purpose=Purpose.GRADING)
        daemon.ready(owner="bob")
        ids = lambda **what: {s.id for s in daemon.client.list(**what).sandboxes}  # noqa: E731
        assert ids(owner="ada") == {mine.id, grading.id}
        assert ids(owner="ada", purpose="practice") == {mine.id}
        daemon.client.stop(mine.id, "replaced")
        daemon.until(mine.id, lambda now: now.state == "gone")
        assert mine.id not in ids(owner="ada")
        assert mine.id in ids(owner="ada", gone_too=True)
        daemon.hurry = sandboxes.LISTED_SECONDS + 1
        assert mine.id not in ids(owner="ada", gone_too=True)
        assert daemon.client.status(mine.id).reason == "replaced"


class TestClocks:
    def test_its_time_begins_when_it_is_ready_and_can_be_extended_twice(self, daemon: Desk) -> None:
        sandbox = daemon.ready(purpose=Purpose.PRACTICE)
        assert sandbox.expires_at - sandbox.ready_at == pytest.approx(45 * 60, abs=2)
        assert daemon.client.extend(sandbox.id).expires_at - sandbox.expires_at == pytest.approx(30 * 60, abs=2)
        assert daemon.client.extend(sandbox.id).extensions_left == 0
        with pytest.raises(Conflict) as refused:
            daemon.client.extend(sandbox.id)
        assert refused.value.code == "no-extensions-left"

    def test_it_expires(self, daemon: Desk) -> None:
        sandbox = daemon.ready(purpose=Purpose.GRADING)
        daemon.hurry = sandboxes.CHECKING_TTL_MINUTES * 60 + 1
        assert daemon.until(sandbox.id, lambda now: now.state == "gone").reason == "expired"

    def test_it_ends_when_nobody_uses_it(self, daemon: Desk) -> None:
        watched, forgotten = daemon.ready(), daemon.ready()
        daemon.hurry = sandboxes.IDLE_SECONDS - 5
        daemon.client.status(watched.id, touch=True)
        daemon.client.status(forgotten.id)
        daemon.hurry = sandboxes.IDLE_SECONDS + 5
        assert daemon.until(forgotten.id, lambda now: now.state == "gone").reason == "idle"
        assert daemon.client.status(watched.id).state == "ready"
