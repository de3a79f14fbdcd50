"""The roof: settings, URLs, the task queue, the home page and the demo county. Owns no tables."""

from .celery import app as celery_app

__all__ = ["celery_app"]
