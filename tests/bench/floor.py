"""The least a Flask page can cost, served like the product: what its ratios are taken against.

`/hello`; `/page` (Jinja, ready HTML of 16 KB); `/page-db` (session, three indexed reads, Jinja); `POST /attempt` (one row).
"""

from __future__ import annotations

import os
import sqlite3
import threading

from flask import Flask, jsonify, request, session

DATABASE = os.environ["FLOOR_DB"]
BODY = (
    "<p>"
    + "</p><p>".join(f"Paragraph {n}: a queue keeps what a slow service cannot take at once." for n in range(200))
    + "</p>"
)
LAYOUT = """<!doctype html><html lang="en"><head><title>{{ title }}</title></head><body><nav>
{% for c in range(5) %}<a href="/c/{{ c }}">
Course {{ c }}</a>{% endfor %}</nav><aside><ol>{% for l in lessons %}<li class="{{ 'done' if l in done else 'todo' }}">
<a href="/l/{{ l }}">Lesson {{ l }}</a></li>{% endfor %}</ol></aside>
<main>{{ body|safe }}</main><footer>{{ user }}</footer></body></html>"""
app = Flask(__name__)
app.secret_key = "floor"
page = app.jinja_env.from_string(LAYOUT)
local = threading.local()


def database() -> sqlite3.Connection:
    """One connection a thread, with the product's PRAGMAs."""
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(DATABASE, timeout=5, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            local.connection.execute(f"PRAGMA {pragma}")
    connection: sqlite3.Connection = local.connection
    return connection


def make() -> None:
    """Create and fill the tables once."""
    connection = database()
    connection.executescript(
        """create table if not exists users(id integer primary key, name text);
        create table if not exists lessons(id integer primary key, title text, html text);
        create table if not exists done(user int, lesson int, primary key(user, lesson));
        create table if not exists attempts(id integer primary key, user int, body text, at real default (julianday('now')));"""
    )
    if connection.execute("select count(*) from users").fetchone()[0] == 0:
        connection.execute("begin immediate")
        connection.executemany("insert into users(name) values(?)", [(f"user {n}",) for n in range(1000)])
        connection.executemany("insert into lessons(title, html) values(?, ?)", [(f"Lesson {n}", BODY) for n in range(100)])
        connection.executemany("insert into done values(?, ?)", [(user, n) for user in range(1, 200) for n in range(0, 30, 2)])
        connection.execute("commit")


make()


@app.get("/hello")
def hello() -> str:
    return "hello"


@app.get("/page")
def plain_page() -> str:
    return page.render(title="Lesson", lessons=range(30), done=(), body=BODY, user="")


@app.get("/sign-in")
def sign_in() -> str:
    session["user"] = 1
    return "ok"


@app.get("/page-db")
def page_db() -> str:
    user, connection = session.get("user", 1), database()
    name = connection.execute("select name from users where id = ?", (user,)).fetchone()[0]
    title, html = connection.execute("select title, html from lessons where id = ?", (7,)).fetchone()
    done = {row[0] for row in connection.execute("select lesson from done where user = ?", (user,))}
    return page.render(title=title, lessons=range(30), done=done, body=html, user=name)


@app.post("/attempt")
def attempt() -> object:
    body = request.get_json()
    database().execute("insert into attempts(user, body) values(?, ?)", (session.get("user", 1), str(body["files"])))
    return jsonify(ok=True), 202
