"""Only verification has an address of its own here; every other file is handed out by the app that owns the case."""

from django.urls import path

from . import public_views

urlpatterns = [
    path("verify/", public_views.verify, name="verify"),
    path("verify/<str:code>/", public_views.verify_code, name="verify_code"),
]
