"""API v1: what programs send in and get back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.accounts.model import Role
from tests.web.site import Site

EXERCISE = "r1-hello-queue"
FILE = "consumer.py"


@dataclass
class Program:
    """Somebody's program with a bearer token."""

    site: Site
    token: str

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.site.browser().ask(method, f"/api/v1{path}", headers=headers, **more)

    def get(self, path: str) -> TestResponse:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.ask("POST", path, json={} if body is None else body, **more)

    def submit(self, files: dict[str, str] | None = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post(f"/exercises/{EXERCISE}/submissions", {"files": files or {}}, headers=named)


def program(site: Site, name: str = "Anna", role: Role = Role.LEARNER) -> Program:
    return Program(site, site.accounts.tokens.create(site.person(name, role).id))


def is_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """An answer as RFC 9457 wants it; returns its body."""
    assert (response.status_code, response.content_type) == (status, "application/problem+json"), response.text
    body: dict[str, Any] = response.get_json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:soty:problem:{code}")
    assert body["title"]
    assert body["detail"]
    return body


class TestReading:
    def test_the_course_its_lessons_and_exercises_in_both_languages(self, site: Site) -> None:
        anna = program(site)
        course = anna.get("/course?lang=en").get_json()
        assert course["modules"][0]["lessons"][0]["id"] == "m01-l01"
        titles = {lang: anna.get(f"/lessons/m01-l01?lang={lang}").get_json()["title"] for lang in ("ru", "en")}
        assert re.search("[а-я]", titles["ru"])
        assert not re.search("[а-я]", titles["en"])
        exercise = anna.get(f"/exercises/{EXERCISE}?lang=ru").get_json()
        assert [file["path"] for file in exercise["files"] if file["editable"]] == ["producer.py", "consumer.py"]
        assert sum(check["points"] for check in exercise["checks"]) == 100
        assert EXERCISE in [entry["id"] for entry in anna.get("/exercises").get_json()["exercises"]]

    def test_a_lesson_places_its_quizzes_without_their_answers(self, site: Site) -> None:
        lesson = program(site).get("/lessons/m01-l01?lang=en").get_json()
        assert re.findall(r'<div data-quiz="([^"]+)"></div>', lesson["html"]) == [quiz["id"] for quiz in lesson["quizzes"]]
        assert set(lesson["quizzes"][0]) == {"id", "type", "question", "options", "unit"}

    def test_guests_read_what_is_free_and_are_asked_to_sign_in_for_the_rest(self, site: Site) -> None:
        guest = site.browser()
        assert guest.get("/api/v1/course").status_code == 200
        assert guest.get("/api/v1/lessons/m01-l01").status_code == 200
        is_problem(guest.get("/api/v1/lessons/m05-l01"), 401, "sign-in-needed")
        is_problem(guest.get(f"/api/v1/exercises/{EXERCISE}/draft"), 401, "sign-in-needed")

    def test_checks_and_solutions_are_nowhere_in_what_learners_get(self, site: Site) -> None:
        """I2, G16: neither the reference nor the checks leave the server."""
        exercise = site.cases.catalog.exercise(EXERCISE)
        assert exercise is not None
        text = program(site).get(f"/exercises/{EXERCISE}").text
        for secret in (*exercise.solution().values(), (exercise.folder / "checks" / "checks.py").read_text("utf-8")):
            lines = [line.strip() for line in secret.splitlines() if len(line.strip()) > 50]
            public = "\n".join(exercise.starter.values()) + exercise.task_text("ru") + exercise.task_text("en")
            assert not [line for line in lines if line not in public and json.dumps(line)[1:-1] in text]


class TestSubmitting:
    def test_handing_in_is_answered_at_once_with_the_place_to_look(self, site: Site) -> None:
        anna = program(site)
        accepted = anna.submit({FILE: "print(1)\n"})
        assert (accepted.status_code, accepted.get_json()["status"]) == (202, "queued")
        place = accepted.headers["Location"]
        assert place == f"/api/v1/submissions/{accepted.get_json()['id']}"
        found = anna.get(place.removeprefix("/api/v1")).get_json()
        expected = {"id", "status", "verdict", "score", "seed", "checks", "timings_ms"}
        assert expected <= set(found)
        assert (found["verdict"], found["score"], found["checks"], found["position"]) == (None, None, [], 1)
        assert found["files"][FILE] == "print(1)\n"
        assert anna.get(f"/exercises/{EXERCISE}/submissions").get_json()["submissions"][0]["id"] == found["id"]

    def test_a_repeated_request_is_the_same_and_another_body_under_its_key_is_422(self, site: Site) -> None:
        anna = program(site)
        first, again = (anna.submit({FILE: "one"}, Idempotency_Key="k") for _ in range(2))
        assert first.get_json()["id"] == again.get_json()["id"]
        is_problem(anna.submit({FILE: "two"}, Idempotency_Key="k"), 422, "idempotency-key-reused")
        is_problem(anna.submit({}, Idempotency_Key="k" * 10_000), 400, "bad-idempotency-key")

    def test_a_fourth_open_submission_has_to_wait(self, site: Site) -> None:
        anna = program(site)
        assert [anna.submit().status_code for _ in range(3)] == [202] * 3
        refused = anna.submit()
        is_problem(refused, 429, "too-many-submissions")
        assert int(refused.headers["Retry-After"]) > 0

    @pytest.mark.parametrize(
        ("body", "status", "code", "field"),
        [
            ({"files": {}, "score": 100}, 400, "invalid-fields", "score"),
            ({"files": {}, "user_id": "root"}, 400, "invalid-fields", "user_id"),
            ({}, 400, "invalid-fields", "files"),
            ({"files": {FILE: 1}}, 400, "invalid-fields", f"files.{FILE}"),
            ({"files": [FILE]}, 400, "invalid-fields", "files"),
            ({"files": {f"f{n}": "" for n in range(10_000)}}, 400, "invalid-fields", "files"),
            ({"files": {"../consumer.py": "x"}}, 400, "path-not-editable", None),
            ({"files": {"/etc/passwd": "x"}}, 400, "path-not-editable", None),
            ({"files": {"shop.py": "x"}}, 400, "path-not-editable", None),
            ({"files": {FILE: "x" * 65_537}}, 413, "file-too-large", None),
            ({"files": {FILE: "a\0b"}}, 400, "not-text", None),
        ],
    )
    def test_what_breaks_a_rule_is_refused_and_nothing_is_stored(
        self, site: Site, body: dict[str, Any], status: int, code: str, field: str | None
    ) -> None:
        anna = program(site)
        before = site.rows("rate_buckets", "api_tokens")
        problem = is_problem(anna.post(f"/exercises/{EXERCISE}/submissions", body), status, code)
        assert problem["details"].get("field") == field
        assert site.rows("rate_buckets", "api_tokens") == before

    def test_others_submissions_are_not_there(self, site: Site) -> None:
        """G15: a foreign id answers exactly as one that never was."""
        mine = program(site).submit().get_json()["id"]
        boris = program(site, "Boris")
        foreign = is_problem(boris.get(f"/submissions/{mine}"), 404, "no-such-submission")
        unknown = is_problem(boris.get("/submissions/00000000000000000000"), 404, "no-such-submission")
        assert {**foreign, "instance": ""} == {**unknown, "instance": ""}
        assert program(site, "Irina", Role.INSTRUCTOR).get(f"/submissions/{mine}").status_code == 200


class TestBadInput:
    @pytest.mark.parametrize(
        "raw",
        [
            b"{", b"[]", b"null", b'"files"', b"[" * 100_000, b'{"files": NaN}', b'{"files": {}, "files": {}}',
            b'{"files": {"a": "\\ud800", "a": "x"}}', b"\xff\xfe{\x00}\x00", b'{"files": ' + b"9" * 5000 + b"}", b"a=b",
        ],
    )  # fmt: skip
    def test_a_body_that_is_not_plain_json_is_400(self, site: Site, raw: bytes) -> None:
        response = program(site).ask("POST", f"/exercises/{EXERCISE}/submissions", data=raw, content_type="application/json")
        assert is_problem(response, 400, response.get_json()["code"])["code"] in ("bad-json", "invalid-fields")

    def test_half_a_character_is_not_text(self, site: Site) -> None:
        raw = json.dumps({"files": {FILE: "\ud800"}}).encode()
        response = program(site).ask("POST", f"/exercises/{EXERCISE}/submissions", data=raw, content_type="application/json")
        is_problem(response, 400, "not-text")

    def test_ten_megabytes_are_413_and_another_type_is_415(self, site: Site) -> None:
        anna, path = program(site), f"/exercises/{EXERCISE}/submissions"
        is_problem(
            anna.ask("POST", path, data=b"x" * 10_000_000, content_type="application/json"), 413, "request-entity-too-large"
        )
        is_problem(anna.ask("POST", path, data=b"files=x", content_type="text/plain"), 415, "unsupported-media-type")

    @pytest.mark.parametrize(
        "path",
        [
            "/exercises/nope", "/exercises/a%00b", "/exercises/%D0%B0", "/submissions/a%00b", "/submissions/..%2f",
            "/sandboxes/x'--", "/lessons/m99-l99", "/runs/" + "z" * 500, "/nothing",
        ],
    )  # fmt: skip
    def test_what_does_not_exist_is_404(self, site: Site, path: str) -> None:
        response = program(site).get(path)
        is_problem(response, 404, response.get_json()["code"])

    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=-1", "page=1000000000000000000", "size=101", "size=all", "page=1&page=2", "wat=1", "verdict=great"],
    )
    def test_a_query_out_of_bounds_is_400(self, site: Site, query: str) -> None:
        response = program(site, role=Role.INSTRUCTOR).get(f"/submissions?{query}")
        is_problem(response, 400, response.get_json()["code"])

    def test_methods_that_a_place_does_not_take_are_405(self, site: Site) -> None:
        response = program(site).ask("DELETE", "/course")
        assert is_problem(response, 405, "method-not-allowed")
        assert "GET" in response.headers["Allow"]


class TestDraftsAndHints:
    def test_two_tabs_that_save_meet_409_with_both_versions(self, site: Site) -> None:
        anna, path = program(site), f"/exercises/{EXERCISE}/draft"
        opened = anna.get(path).get_json()
        assert (opened["revision"], opened["saved_at"]) == (0, None)
        assert anna.ask("PUT", path, json={"files": {FILE: "tab one"}, "revision": 0}).get_json()["revision"] == 1
        details = is_problem(anna.ask("PUT", path, json={"files": {FILE: "tab two"}, "revision": 0}), 409, "draft-changed")[
            "details"
        ]
        assert (details["saved_files"][FILE], details["your_files"][FILE]) == ("tab one", "tab two")
        kept = anna.ask("PUT", path, json={"files": {FILE: "tab two"}, "revision": 0, "overwrite": True}).get_json()
        assert (kept["revision"], kept["files"][FILE]) == (2, "tab two")

    def test_reset_can_be_undone(self, site: Site) -> None:
        anna, path = program(site), f"/exercises/{EXERCISE}"
        anna.ask("PUT", f"{path}/draft", json={"files": {FILE: "work of an hour"}, "revision": 0})
        anna.post(f"{path}/draft/reset")
        (point,) = anna.get(f"{path}/restore-points").get_json()["restore_points"]
        restored = anna.post(f"{path}/restore-points/{point['id']}/restore").get_json()
        assert restored["files"][FILE] == "work of an hour"

    def test_hints_open_one_at_a_time(self, site: Site) -> None:
        anna, path = program(site), f"/exercises/{EXERCISE}/hints"
        is_problem(anna.post(f"{path}/2"), 409, "hint-out-of-turn")
        assert len(anna.post(f"{path}/1").get_json()["opened"]) == 1
        assert len(anna.post(f"{path}/2").get_json()["opened"]) == 2
        is_problem(anna.post(f"{path}/4"), 404, "no-such-hint")
        assert anna.get(path).get_json()["total"] == 3

    def test_a_quiz_is_judged_by_the_server_and_gives_its_reasons(self, site: Site) -> None:
        quiz = next(quiz for quiz in site.cases.catalog.lessons["m01-l01"].quizzes if quiz.type == "single")
        right = [option.correct for option in quiz.options].index(True)
        anna = program(site)
        judged = anna.post(f"/quizzes/{quiz.id}/answer?lang=en", {"answer": [right]}).get_json()
        assert judged["correct"]
        assert all(option["why"] for option in judged["options"])
        is_problem(anna.post(f"/quizzes/{quiz.id}/answer", {"answer": [9]}), 400, "quiz-answer")
        is_problem(anna.post(f"/quizzes/{quiz.id}/answer", {"answer": [99]}), 400, "bad-answer")
        is_problem(anna.post("/quizzes/m01-l01-q99/answer", {"answer": [0]}), 404, "no-such-quiz")


class TestSandboxes:
    def test_without_sandboxd_the_wish_is_kept_and_said_to_be_stale(self, site: Site) -> None:
        anna = program(site)
        opened = anna.post(f"/exercises/{EXERCISE}/sandbox")
        assert (opened.status_code, opened.get_json()["state"], opened.get_json()["stale"]) == (202, "queued", True)
        details = is_problem(anna.post("/exercises/g1-greeter/sandbox"), 409, "second-sandbox")["details"]
        assert details == {"sandbox": opened.get_json()["id"], "exercise": EXERCISE}
        assert anna.post("/exercises/g1-greeter/sandbox", {"replace": True}).status_code == 202
        unreachable = anna.get(f"/sandboxes/{opened.get_json()['id']}/services/consumer/logs")
        is_problem(unreachable, 503, "sandboxd-down")
        assert "Retry-After" in unreachable.headers

    def test_others_sandboxes_are_not_there(self, site: Site) -> None:
        mine = program(site).post(f"/exercises/{EXERCISE}/sandbox").get_json()["id"]
        boris = program(site, "Boris")
        is_problem(boris.get(f"/sandboxes/{mine}"), 404, "no-such-sandbox")
        is_problem(boris.ask("DELETE", f"/sandboxes/{mine}"), 404, "no-such-sandbox")
        for path, body in (("extend", {}), ("apply", {}), ("services/consumer", {"action": "kill"})):
            is_problem(boris.post(f"/sandboxes/{mine}/{path}", body), 404, "no-such-sandbox")

    def test_an_action_that_does_not_exist_is_named(self, site: Site) -> None:
        anna = program(site)
        mine = anna.post(f"/exercises/{EXERCISE}/sandbox").get_json()["id"]
        problem = is_problem(anna.post(f"/sandboxes/{mine}/services/consumer", {"action": "explode"}), 400, "invalid-fields")
        assert problem["details"]["field"] == "action"


class TestAccess:
    def test_tokens_that_are_unknown_revoked_or_in_the_address_are_refused(self, site: Site) -> None:
        anna = program(site)
        is_problem(Program(site, "soty_guess").get("/me"), 401, "bad-token")
        is_problem(site.browser().get(f"/api/v1/me?token={anna.token}"), 400, "token-in-address")
        (row,) = site.accounts.tokens.of(site.accounts.users.named("Anna").id)
        site.accounts.tokens.revoke(row.user_id, row.id)
        is_problem(anna.get("/me"), 401, "bad-token")

    def test_a_browsers_session_works_too_but_changes_need_its_csrf_token(self, site: Site) -> None:
        browser = site.signed_in(site.person("Anna"))
        assert browser.get("/api/v1/me").get_json()["name"] == "Anna"
        path = f"/api/v1/exercises/{EXERCISE}/draft/reset"
        is_problem(browser.ask("POST", path, json={}), 403, "csrf")
        assert browser.ask("POST", path, json={}, headers={"X-CSRFToken": browser.csrf()}).status_code == 200

    def test_lists_of_everybody_are_not_for_learners(self, site: Site) -> None:
        anna = program(site)
        for path in ("/learners", "/submissions"):
            is_problem(anna.get(path), 403, "forbidden")

    def test_a_mentor_reads_what_was_handed_in_and_has_no_say_in_it(self, site: Site) -> None:
        handed_in = program(site).submit().get_json()["id"]
        mentor = program(site, "Maria", Role.MENTOR)
        assert mentor.get("/submissions").get_json()["total"] == mentor.get("/learners").get_json()["total"] == 1
        assert mentor.get(f"/submissions/{handed_in}").get_json()["status"] == "queued"
        is_problem(mentor.post(f"/submissions/{handed_in}/retry"), 403, "forbidden")

    def test_an_instructor_sees_the_class(self, site: Site) -> None:
        handed_in = program(site).submit().get_json()["id"]
        irina = program(site, "Irina", Role.INSTRUCTOR)
        (line,) = irina.get(f"/submissions?exercise={EXERCISE}&state=queued").get_json()["submissions"]
        assert (line["id"], line["user_name"]) == (handed_in, "Anna")
        assert irina.get("/submissions?verdict=passed").get_json()["total"] == 0
        assert [row["name"] for row in irina.get("/learners?search=an").get_json()["learners"]] == ["Anna"]


class TestDescription:
    def test_openapi_names_exactly_the_routes_that_exist(self, site: Site) -> None:
        document = site.browser().get("/api/v1/openapi.json").get_json()
        assert document["openapi"].startswith("3.1")
        described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
        routes = {
            (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
            for rule in site.app.url_map.iter_rules()
            if rule.rule.startswith("/api/")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
        assert described == routes

    def test_every_reference_leads_somewhere_and_every_operation_has_a_summary(self, site: Site) -> None:
        document = site.browser().get("/api/v1/openapi.json").get_json()
        names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
        assert names <= set(document["components"]["schemas"])
        operations = [operation for methods in document["paths"].values() for operation in methods.values()]
        assert all(operation["summary"] for operation in operations)
        assert len({operation["operationId"] for operation in operations}) == len(operations)
