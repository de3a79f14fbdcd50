"""Every address of the system."""

from importlib.util import find_spec

from django.urls import include, path

from . import health, home

urlpatterns = [
    path("", home.home, name="home"),
    path("demo/clock/", home.demo_clock_advance, name="demo_clock_advance"),
    path("healthz", health.live, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    *[
        path("", include(f"{app}.urls"))
        for app in ("accounts", "documents", "students", "subsidies", "publicity", "archives")
        if find_spec(f"{app}.urls")
    ],
]
