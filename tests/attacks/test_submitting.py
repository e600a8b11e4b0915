"""Handing in over the running product (G13-G16, S17, S19): what counts is what was handed in, once, by its owner, and nothing leaks."""

# ruff: noqa: E501 - programs of attackers, one act a line

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.grading.limits import OPEN_SUBMISSIONS
from app.sandbox.client import SandboxdClient
from tests.attacks.corpus import attack
from tests.attacks.hidden import HIDDEN, write_hiding_exercise
from tests.attacks.people import Learner, join, sign_in
from tests.attacks.range import server
from tests.attacks.test_files import SHAPES
from tests.product import Product, eventually

AT_ONCE = 50
API = "/api/v1"


@pytest.fixture(scope="module")
def soty(tmp_path_factory: pytest.TempPathFactory, store: object) -> Iterator[Product]:
    """The whole product over an exercise with marks in everything that learners must not see."""
    home = tmp_path_factory.mktemp("product")
    write_hiding_exercise(home / "exercises")
    with Product(home, SOTY_EXERCISES_DIR=str(home / "exercises")) as product:
        with SandboxdClient(home / "sandboxd" / "control.sock") as sandboxd:
            eventually("images are ready", lambda: sandboxd.images().all_ready, within=240, every=0.5)
        with join(product).sandbox():
            pass
        yield product


HASH = """
import hashlib
print("graded " + hashlib.sha256(open("/workspace/server.py", "rb").read()).hexdigest(), flush=True)
"""


def edited_draft(learner: Learner, text: str) -> str:
    """The control: the draft is changed by the same edit."""
    revision = learner.api.get("/exercises/victim/draft").json()["revision"]
    learner.api.put("/exercises/victim/draft", json={"files": {"server.py": text}, "revision": revision})
    return str(learner.api.get("/exercises/victim/draft").json()["files"]["server.py"])


@attack("G13", control="edited_draft")
def test_g13_what_was_handed_in_is_graded_whatever_is_edited_since(soty: Product) -> None:
    anna = join(soty)
    # Given a sandbox in which a program edits its own files all the time
    edits = (
        HASH
        + "\nimport threading\ndef edit():\n    while True:\n        for p in ('/workspace/server.py', '/data/server.py'):\n"
    )
    edits += "            try: open(p, 'a').write('# edited')\n            except OSError: pass\n        time.sleep(0.05)\n"
    edits += "threading.Thread(target=edit, daemon=True).start()"
    files = server(before=edits)
    edited_draft(anna, files["server.py"])
    with anna.sandbox() as sandbox:
        # When it is handed in and the draft and the sandbox get other files at once
        handed_in = anna.submit(files).json()["id"]
        assert edited_draft(anna, "print('something else')") == "print('something else')"
        anna.api.post(f"/sandboxes/{sandbox}/apply", json={})
        found = anna.settled(handed_in)
        # Then exactly what was handed in was graded
        expected = hashlib.sha256(files["server.py"].encode()).hexdigest()
        assert f"graded {expected}" in found["log_tails"]["doubler"]
        assert found["verdict"] == "passed"


def of_different_people(soty: Product) -> int:
    """The control: as many hand-ins of different people with one key are as many submissions."""
    people = [join(soty) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: one.submit(server(), "the-same-key"), people))
    for person, answer in zip(people, answers, strict=True):
        person.settled(answer.json()["id"])
    return len({answer.json()["id"] for answer in answers})


@attack("G14", control="of_different_people")
def test_g14_handing_in_fifty_times_at_once_counts_exactly_once_or_to_the_limit(soty: Product) -> None:
    boris, vera = join(soty), join(soty)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        same = list(pool.map(lambda _: boris.submit(server(), "one-key"), range(AT_ONCE)))
        other = list(pool.map(lambda number: vera.submit(server(), f"key-{number}"), range(AT_ONCE)))
    codes = Counter(answer.status_code for answer in same)
    assert set(codes) <= {202, 429}, codes
    accepted = {answer.json()["id"] for answer in same if answer.status_code == 202}
    assert len(accepted) == 1
    codes = Counter(answer.status_code for answer in other)
    assert codes == {202: OPEN_SUBMISSIONS, 429: AT_ONCE - OPEN_SUBMISSIONS}
    assert len({answer.json()["id"] for answer in other if answer.status_code == 202}) == OPEN_SUBMISSIONS
    assert len(boris.api.get("/exercises/victim/submissions").json()["submissions"]) == 1
    assert len(vera.api.get("/exercises/victim/submissions").json()["submissions"]) == OPEN_SUBMISSIONS
    for answer in (*same, *other):
        if answer.status_code == 202:
            (boris if answer in same else vera).settled(answer.json()["id"])
    assert of_different_people(soty) == 4


@attack("G14", control="of_different_people")
def test_g14_replays_and_smuggled_fields_are_refused(soty: Product) -> None:
    galina = join(soty)
    first = galina.submit(server(), "replayed")
    assert first.status_code == 202
    assert galina.submit(server("pass  # changed"), "replayed").status_code == 422
    assert galina.submit(server(), "replayed").json()["id"] == first.json()["id"]
    for field in ("exercise_id", "user_id", "created_at", "score", "verdict", "seed", "state", "id"):
        answer = galina.submit(server(), **{field: "1"})
        assert answer.status_code == 400, field
        assert field in answer.text
    assert galina.submit(server(), exercise="another").status_code == 404
    galina.settled(first.json()["id"])


@attack("G15", control="of_its_owner")
def test_g15_other_peoples_work_does_not_exist_and_no_worker_can_be_called(soty: Product) -> None:
    dina, egor = join(soty), join(soty)
    with dina.sandbox() as sandbox:
        submission = dina.submit(server()).json()["id"]
        run = dina.api.post("/exercises/victim/runs", json={}).json()["id"]
        theirs = [
            ("GET", f"/submissions/{submission}"), ("GET", f"/runs/{run}"), ("GET", f"/sandboxes/{sandbox}"),
            ("DELETE", f"/sandboxes/{sandbox}"), ("POST", f"/sandboxes/{sandbox}/apply"), ("POST", f"/sandboxes/{sandbox}/extend"),
            ("POST", f"/sandboxes/{sandbox}/services/doubler"), ("GET", f"/sandboxes/{sandbox}/services/doubler/logs"),
        ]  # fmt: skip
        for method, path in theirs:
            body = {"action": "kill"} if path.endswith("doubler") else ({} if method == "POST" else None)
            assert egor.api.request(method, path, json=body).status_code == 404, path
        assert egor.api.post(f"/submissions/{submission}/retry").status_code == 403
        assert of_its_owner(dina, submission, run, sandbox) == {200}
        dina.settled(submission)
        dina.settled(run, "runs")
    # No door for a worker: neither documented nor guessed
    documented = egor.api.get("/openapi.json").json()["paths"]
    assert not [path for path in documented if re.search("callback|verdict|result|worker|internal|report$|grade", path)]
    for path in ("callback", "verdict", "results", "report", "grade", "finish", "job", "internal"):
        for place in (
            f"{API}/submissions/{submission}/{path}",
            f"{API}/{path}",
            f"/{path}",
            f"/submissions/{submission}/{path}",
        ):
            for method in ("POST", "PUT", "PATCH"):
                answer = egor.api.request(method, soty.url + place, json={"verdict": "passed", "score": 100})
                assert answer.status_code in (400, 404, 405), (method, place, answer.status_code)


def of_its_owner(owner: Learner, submission: str, run: str, sandbox: str) -> set[int]:
    """The control: its owner reads all of it at the same addresses."""
    paths = (
        f"/submissions/{submission}",
        f"/runs/{run}",
        f"/sandboxes/{sandbox}",
        f"/sandboxes/{sandbox}/services/doubler/logs",
    )
    return {owner.api.get(path).status_code for path in paths}


def marks_in(text: str) -> set[str]:
    return {mark for mark in HIDDEN.values() if mark in text}


def everything_in_the_exercise(soty: Product) -> set[str]:
    """The control: the same search over the exercise's own folder finds every mark."""
    folder = Path(soty.settings["SOTY_EXERCISES_DIR"])
    return marks_in("\n".join(path.read_text() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"))


ERRS = "if number == 'five-secret': self.send_response(418); self.end_headers(); return"


@attack("G16", control="everything_in_the_exercise")
def test_g16_nothing_of_the_checks_is_on_any_page(soty: Product) -> None:
    assert everything_in_the_exercise(soty) == set(HIDDEN.values())
    zoya = join(soty)
    with zoya.sandbox() as sandbox:
        # Given reports of each kind: passed, failed, and one whose check broke on the answer
        ids = [zoya.submit(files).json()["id"] for files in (server(), server("self.send_error(500); return"))]
        reports = [zoya.settled(one) for one in ids]
        assert [report["verdict"] for report in reports] == ["passed", "failed"]
        edited_draft(zoya, server(ERRS)["server.py"])
        run = zoya.api.post("/exercises/victim/runs", json={}).json()["id"]
        assert zoya.settled(run, "runs")["verdict"] == "errored"
        # When everything that a learner can open is read
        seen: dict[str, str] = {}
        browser = httpx.Client(base_url=soty.url, follow_redirects=True, timeout=20)
        paths = [
            "/",
            "/exercises",
            "/exercises/victim",
            "/course",
            "/nothing",
            "/exercises/victim/../checks/checks.py",
            "/metrics",
        ]
        paths += [
            "/exercises/victim/checks/checks.py",
            "/static/../exercises/victim/exercise.yaml",
            "/exercises/victim?fields=*",
        ]
        paths += [
            f"{API}{path}"
            for path in ("/openapi.json", "/course", "/exercises", "/exercises/victim", "/exercises/victim?fields=*")
        ]
        paths += (
            [f"{API}/submissions/{one}" for one in ids]
            + [f"/submissions/{one}" for one in ids]
            + [f"/exercises/submissions/{ids[0]}"]
        )
        paths += [
            f"{API}/runs/{run}",
            f"/runs/{run}",
            f"{API}/sandboxes/{sandbox}",
            f"{API}/sandboxes/{sandbox}/services/doubler/logs",
        ]
        paths += [f"{API}/exercises/victim/{part}" for part in ("draft", "hints", "restore-points", "submissions", "sandbox")]
        with browser:
            sign_in(browser, soty, zoya)
            for path in paths:
                for lang in ("ru", "en"):
                    named = zoya.api.headers if path.startswith(API) else {}
                    answer = browser.get(path, headers={**named, "Accept-Language": lang})
                    seen[f"{path} {lang}"] = answer.text
                    for asset in re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|map|json))"', answer.text):
                        seen.setdefault(asset, browser.get(asset).text)
            for code in ("{", '{"files": 1}', '{"files": {"checks/checks.py": "x"}}', '{"only": ["hidden"]}'):
                for path in (f"{API}/exercises/victim/submissions", f"{API}/exercises/victim/runs"):
                    answer = browser.post(path, content=code, headers={**zoya.api.headers, "Content-Type": "application/json"})
                    assert answer.status_code in (400, 404, 409, 429), answer.text
                    seen[f"{path} {code}"] = answer.text
        # Then no mark is anywhere
        leaks = {path: found for path, text in seen.items() if (found := marks_in(text))}
        assert not leaks
        assert len(seen) > 40
        for page in (f"/runs/{run} en", f"/submissions/{ids[1]} en"):
            assert "Отказ" in seen[page] or "A refusal" in seen[page], "the report itself was read"


@attack("S19", control="of_a_sane_kind")
def test_s19_the_api_answers_exploit_shaped_input_clearly(soty: Product) -> None:
    ivan = join(soty)
    with ivan.sandbox() as sandbox:
        assert of_a_sane_kind(ivan, sandbox) == {200}
        for shape in SHAPES:
            quoted = urllib.parse.quote(shape, safe="")
            tried = [
                ivan.api.post(f"/sandboxes/{sandbox}/services/doubler", json={"action": shape}),
                ivan.api.post(f"/sandboxes/{sandbox}/services/{quoted or 'x!'}", json={"action": "restart"}),
                ivan.api.post(f"/sandboxes/{sandbox}/apply", json={"services": [shape]}),
                ivan.api.post("/exercises/victim/runs", json={"only": [shape]}),
                ivan.submit({shape: "text"}),
                ivan.api.put("/exercises/victim/draft", json={"files": {shape: "text"}, "revision": 0}),
                ivan.api.post("/exercises/victim/sandbox", json={"replace": shape}),
                ivan.api.post("/exercises/victim/sandbox", json={"image": shape, "command": [shape], "privileged": True}),
            ]
            for answer in tried:
                assert answer.status_code in (400, 404, 405, 409, 413, 422, 429), (
                    shape,
                    answer.request.url,
                    answer.status_code,
                    answer.text,
                )
                assert "Traceback" not in answer.text
                assert str(soty.home) not in answer.text
        assert ivan.api.get(f"/sandboxes/{sandbox}").json()["state"] == "ready"


def of_a_sane_kind(learner: Learner, sandbox: str) -> set[int]:
    """The control: the same requests with what is meant are done."""
    restart = learner.api.post(f"/sandboxes/{sandbox}/services/doubler", json={"action": "restart"})
    apply = learner.api.post(f"/sandboxes/{sandbox}/apply", json={"services": ["doubler"]})
    return {restart.status_code, apply.status_code}


@attack("S17", control="still_let_in")
def test_s17_somebody_is_kept_out_while_their_sandbox_starts(soty: Product) -> None:
    kira, teacher = join(soty), join(soty, "instructor")
    assert still_let_in(kira) == 200
    sandbox = kira.api.post("/exercises/victim/sandbox", json={}).json()["id"]
    with SandboxdClient(soty.home / "sandboxd" / "control.sock") as sandboxd:
        try:
            soty.cli("users", "deactivate", kira.name)
            assert kira.api.get("/me").status_code == 401
            assert kira.api.post("/exercises/victim/sandbox", json={}).status_code == 401
            # What had begun is one sandbox that is told truly, and that an instructor can close
            eventually("it is one", lambda: [one.id for one in sandboxd.list().sandboxes] == [sandbox], within=20)
        finally:
            closed = teacher.api.delete(f"/sandboxes/{sandbox}")
        assert closed.status_code == 202
        eventually("nothing runs", lambda: not sandboxd.list().sandboxes, within=20)
    eventually("the row says so", lambda: teacher.api.get(f"/sandboxes/{sandbox}").json()["state"] == "gone", within=20)


def still_let_in(learner: Learner) -> int:
    """The control: before, the same token opens the same door."""
    return learner.api.get("/me").status_code
