"""Which language a page speaks: the person's choice (cookie), else the browser's, else Russian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.support import NullTranslations, Translations
from flask import Flask, g, request
from flask_babel import Babel, format_date, format_datetime, get_locale, pgettext

LANGUAGES = ("ru", "en")
TRANSLATIONS = Path(__file__).parent / "translations"


def choose() -> str:
    """`ru` or `en` for this request: `?lang=`, cookie, Accept-Language; else Russian, English for programs."""
    asked = request.args.get("lang") or request.cookies.get("lang")
    if asked in LANGUAGES:
        return asked
    return request.accept_languages.best_match(LANGUAGES) or ("en" if request.path.startswith("/api/") else "ru")


def lang() -> str:
    """The language of this request."""
    if "lang" not in g:
        g.lang = choose()
    return str(g.lang)


def remember_language(response: Any, language: str) -> Any:
    """Let this browser speak the language from now on."""
    if language in LANGUAGES:
        response.set_cookie("lang", language, max_age=365 * 86400, samesite="Lax")
    return response


def register(app: Flask) -> None:
    """Install Babel over every folder of `translations/`; each room of the pages keeps a catalogue of its own."""
    folders = sorted(str(path) for path in TRANSLATIONS.iterdir() if path.is_dir())
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = ";".join(folders)
    Babel(app, locale_selector=lang, default_locale="en")
    _speak_fast(app, folders)
    app.jinja_env.globals.update(
        lang=lang,
        LANGUAGES=LANGUAGES,
        format_date=format_date,
        format_datetime=format_datetime,
        get_locale=get_locale,
        pgettext=pgettext,
    )


def _speak_fast(app: Flask, folders: list[str]) -> None:
    """Let templates look words up in catalogues that were merged once: Flask-Babel finds them anew for every word."""
    catalogs: dict[str, NullTranslations] = {"en": NullTranslations(), "ru": Translations()}
    for folder in folders:
        room = Translations.load(folder, ["ru"])
        catalogs["ru"].merge(room)  # type: ignore[attr-defined]
        if isinstance(room, Translations):  # merging keeps the words only, not the rule of the plural
            catalogs["ru"].plural = room.plural

    def gettext(words: str) -> str:
        return catalogs[lang()].ugettext(words)

    def ngettext(one: str, many: str, count: int) -> str:
        return catalogs[lang()].ungettext(one, many, count)

    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
