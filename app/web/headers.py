"""Security headers on every answer. Scripts are strict everywhere; inline styles are allowed only where a page asks for
diagrams or a terminal (`allow_inline_styles()`), or with a nonce for the editor's own style sheet (`style_nonce()`)."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, request

from app.settings import Settings

_ALWAYS = (  #: no view sets one of these, or Vary, itself
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_ANY_HOST = ("/api/", "/healthz", "/readyz", "/metrics", "/static/")  #: answered under every host name


def allow_inline_styles() -> None:
    """Let this page carry inline styles: Mermaid draws with them."""
    g.inline_styles = True


def style_nonce() -> str:
    """A nonce with which the scripts of this page may add style sheets: CodeMirror does."""
    if "style_nonce" not in g:
        g.style_nonce = secrets.token_urlsafe(16)
    return str(g.style_nonce)


def policy(settings: Settings, inline_styles: bool) -> str:
    """The Content-Security-Policy of a page."""
    live = urlsplit(settings.live_base_url)
    socket = f"{'wss' if live.scheme == 'https' else 'ws'}://{live.netloc}"
    return "; ".join((
        "default-src 'none'", "script-src 'self'", f"style-src 'self'{' ' + repr('unsafe-inline') if inline_styles else ''}",
        "img-src 'self' data:", "font-src 'self'", f"connect-src 'self' {socket}", "form-action 'self'",
        "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'", "manifest-src 'self'",
    ))  # fmt: skip


def register(app: Flask) -> None:
    """Add the headers after each request and send GETs under a foreign host name home."""
    settings: Settings = app.extensions["soty_settings"]
    policies = {flag: policy(settings, flag) for flag in (False, True)}
    secure = settings.base_url.startswith("https://")

    home = urlsplit(settings.base_url).netloc

    @app.before_request
    def send_home() -> Any:
        if request.host != home and request.method in ("GET", "HEAD") and not request.path.startswith(_ANY_HOST):
            return redirect(settings.base_url + request.full_path.rstrip("?"), 307)
        return None

    @app.after_request
    def add(response: Response) -> Response:
        put = response.headers.add
        strict = policies[bool(g.get("inline_styles"))]
        nonce = g.get("style_nonce")
        put(
            "Content-Security-Policy",
            strict.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'") if nonce else strict,
        )
        for name, value in _ALWAYS:
            put(name, value)
        if secure and request.is_secure:
            put("Strict-Transport-Security", "max-age=31536000")
        if not request.path.startswith("/static/"):
            if "Cache-Control" not in response.headers:
                put("Cache-Control", "no-store" if g.get("user") or request.blueprint == "account" else "private, no-cache")
            put("Vary", "Cookie, Accept-Language, Accept-Encoding")
        return response
