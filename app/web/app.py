"""The Flask application: assembles blueprints, languages, assets, security headers and readable errors.

It holds no rules of the course; those come as use cases from `app.wiring.use_cases`.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask_compress import Compress
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

from app import api
from app.db import Database, engine_options, install_rules
from app.settings import Settings
from app.web import (
    account,
    admin,
    assets,
    bodies,
    errors,
    exercises,
    headers,
    language,
    lessons,
    news,
    observe,
    sandboxes,
    series,
    sessions,
    start,
    stuck,
)
from app.wiring.use_cases import UseCases, use_cases

STATIC = Path(__file__).parent / "static"
MAX_BODY = 1_000_000  #: bytes of any request
csrf = CSRFProtect()


def create_app(settings: Settings, cases: UseCases | None = None) -> Flask:
    """Build the application.

    Args:
        settings: everything the operator chose.
        cases: ready use cases (tests); built from the settings otherwise.
    """
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret,
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        MAX_FORM_PARTS=200,
        SQLALCHEMY_DATABASE_URI=settings.database,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database),
        WTF_CSRF_TIME_LIMIT=None,
        COMPRESS_MIMETYPES=["text/html", "application/json", "application/problem+json"],
        TEMPLATES_AUTO_RELOAD=settings.testing,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["soty_settings"] = settings
    app.extensions["soty"] = cases or use_cases(settings, database(app))
    csrf.init_app(app)
    Compress(app)
    for part in (observe, errors, headers, bodies, sessions, language, news, assets):
        part.register(app)
    for room in (start, account, lessons, exercises, series, stuck, sandboxes, admin):
        app.register_blueprint(room.blueprint)
    api.register(app)
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=str(STATIC),
        prefix="static/",
        max_age=60,
        immutable_file_test=assets.is_hashed,
        autorefresh=settings.testing,
    )
    return app


def database(app: Flask) -> Database:
    """The web process's database over the engine and pool that Flask-SQLAlchemy keeps for the application."""
    sql = SQLAlchemy()
    sql.init_app(app)
    with app.app_context():
        install_rules(sql.engine)
        return Database(sql.engine)
