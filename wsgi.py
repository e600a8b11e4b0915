"""Entry of gunicorn: `gunicorn wsgi:app`."""

from app import log
from app.settings import load_settings
from app.web.app import create_app

settings = load_settings()
log.configure("web", settings.log_level)
app = create_app(settings)
