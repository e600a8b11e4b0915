"""Bad input through the whole product: gunicorn, sockets and all. Clear errors, nothing lost, no 500."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.product import TOP, Product

SUBMISSIONS = "/exercises/r1-hello-queue/submissions"
FILE = "consumer.py"
TEN_MEGABYTES = 10_000_000


@pytest.fixture(scope="module")
def soty() -> Iterator[Product]:
    """The product over a course in which an author has made two mistakes."""
    with tempfile.TemporaryDirectory(prefix="soty-bad-input-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        for name in ("lessons", "exercises"):
            shutil.copytree(TOP / name, place / name)
        lesson = next((place / "lessons/m01").glob("m01-l02-*/lesson.en.md"))
        lesson.write_text(lesson.read_text("utf-8").replace("order: 2\n", "order: [2\n", 1), "utf-8")
        exercise = place / "exercises/g1-greeter/exercise.yaml"
        exercise.write_text(exercise.read_text("utf-8").replace("level: easy\n", "level: easy\ncolour: red\n", 1), "utf-8")
        folders = {f"SOTY_{name.upper()}_DIR": str(place / name) for name in ("lessons", "exercises")}
        with Product(place / "home", SOTY_ENGINE="fake", SOTY_LOG_LEVEL="warning", **folders) as product:
            yield product
            assert "Traceback" not in "".join(product.output)


@pytest.fixture(scope="module")
def anna(soty: Product) -> Iterator[httpx.Client]:
    with soty.api(soty.cli("users", "add", "Anna", "--token")) as client:
        yield client


def stored(soty: Product) -> dict[str, int]:
    """Rows of everything that people hand in, write or start."""
    with closing(sqlite3.connect(soty.home / "db" / "soty.sqlite3")) as file:
        tables = ("submissions", "jobs", "drafts", "runs", "sandboxes", "users")
        return {table: file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def line_of(soty: Product, path: str, text: str) -> int:
    whole = (Path(soty.settings["SOTY_LESSONS_DIR"]).parent / path).read_text("utf-8")
    return whole[: whole.index(text)].count("\n") + 1


def test_an_authors_mistakes_are_named_with_path_and_line_and_cost_only_their_own_page(soty: Product) -> None:
    # Given broken front matter in one lesson and an unknown key in one exercise
    told = soty.cli("content", "check", check=False)
    # Then both are named
    assert re.search(r"m01-l02-\S+/lesson\.en\.md:\d+: not valid YAML", told), told
    line = line_of(soty, "exercises/g1-greeter/exercise.yaml", "colour: red")
    assert re.search(rf"g1-greeter/exercise\.yaml:{line}: .*colour", told), told
    # And these two pages say that they are not there, while the rest of the course is served
    with httpx.Client(base_url=soty.url) as guest:
        for path, status in {
            "/lessons/m01-l02": 404, "/exercises/g1-greeter": 404, "/": 200, "/course": 200, "/lessons/m01-l01": 200,
            "/lessons/m01-l03": 200, "/exercises": 200, "/exercises/r1-hello-queue": 200,
        }.items():  # fmt: skip
            assert guest.get(path).status_code == status, path


@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize(
    ("path", "content", "type_", "status", "code"),
    [
        (SUBMISSIONS, json.dumps({"files": {FILE: "x" * 65_537}}), "application/json", 413, "file-too-large"),
        (SUBMISSIONS, json.dumps({"files": {"../consumer.py": ""}}), "application/json", 400, "path-not-editable"),
        (SUBMISSIONS, '{"files": {', "application/json", 400, "bad-json"),
        (SUBMISSIONS, "[]", "application/json", 400, "bad-json"),
        (SUBMISSIONS, "files=x", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (SUBMISSIONS, "x" * TEN_MEGABYTES, "application/json", 413, "request-entity-too-large"),
        ("/exercises/nobody-wrote-it/submissions", '{"files": {}}', "application/json", 404, "no-such-exercise"),
        ("/exercises/..%2F..%2Fetc/submissions", '{"files": {}}', "application/json", 404, "not-found"),
    ],
    ids=lambda part: str(part)[:24],
)
def test_what_cannot_be_accepted_is_refused_in_the_askers_language(
    soty: Product, anna: httpx.Client, lang: str, path: str, content: str, type_: str, status: int, code: str
) -> None:
    before, began = stored(soty), time.monotonic()
    answer = anna.post(path, content=content, headers={"Content-Type": type_, "Accept-Language": lang})
    assert time.monotonic() - began < 5
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    for words in (problem["title"], problem["detail"]):
        assert bool(re.search("[а-яё]", words)) == (lang == "ru"), words
    assert anna.get("/me").json()["name"] == "Anna", "the same connection is good for the next request"
    assert stored(soty) == before


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_a_page_that_is_not_there_is_a_page_too(soty: Product, lang: str) -> None:
    answer = httpx.get(f"{soty.url}/exercises/nobody-wrote-it", headers={"Accept-Language": lang, "Accept": "text/html"})
    assert answer.status_code == 404
    assert f'<html lang="{lang}"' in answer.text


class TestRawConnections:
    """What no decent client sends."""

    @pytest.fixture
    def connection(self, soty: Product) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", soty.port), timeout=10) as connection:
            yield connection

    def head(self, anna: httpx.Client, *more: str) -> bytes:
        token = anna.headers["Authorization"]
        lines = (f"POST /api/v1{SUBMISSIONS} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: {token}", *more)
        return "\r\n".join((*lines, "Content-Type: application/json", "", "")).encode()

    def status(self, connection: socket.socket) -> int:
        return int(connection.makefile("rb").readline().split()[1])

    def test_ten_megabytes_that_are_only_announced_are_refused_at_once(
        self, soty: Product, anna: httpx.Client, connection: socket.socket
    ) -> None:
        began = time.monotonic()
        connection.sendall(self.head(anna, f"Content-Length: {TEN_MEGABYTES}"))
        assert self.status(connection) == 413
        assert time.monotonic() - began < 2

    def test_a_body_without_a_length_is_read_as_far_as_allowed(
        self, soty: Product, anna: httpx.Client, connection: socket.socket
    ) -> None:
        before = stored(soty)
        connection.sendall(self.head(anna, "Transfer-Encoding: chunked"))
        try:
            for _ in range(TEN_MEGABYTES // 100_000):
                connection.sendall(b"186a0\r\n" + b" " * 100_000 + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
        except ConnectionError:
            pass  # it need not take all of it
        assert self.status(connection) == 413
        assert stored(soty) == before

    def test_a_small_one_without_a_length_is_as_good_as_any(self, anna: httpx.Client, connection: socket.socket) -> None:
        body = b'{"files": {}, "score": 100}'
        connection.sendall(self.head(anna, "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert self.status(connection) == 400

    @pytest.mark.parametrize("length", ["-1", "12x", "1\r\nContent-Length: 2", "2\r\nTransfer-Encoding: chunked"])
    def test_a_length_that_can_be_read_in_two_ways_is_refused(
        self, anna: httpx.Client, connection: socket.socket, length: str
    ) -> None:
        connection.sendall(self.head(anna, f"Content-Length: {length}") + b"{}")
        assert self.status(connection) == 400


def test_after_all_that_the_product_serves_on(soty: Product, anna: httpx.Client) -> None:
    answer = anna.post(SUBMISSIONS, json={"files": {FILE: "# мёд\n"}})
    assert answer.status_code == 202
    assert anna.get(f"/submissions/{answer.json()['id']}").status_code == 200
    assert httpx.get(f"{soty.url}/healthz").status_code == 200
