"""Addresses of notices and objections; `notice/<code>/` is the one without sign-in."""

from django.urls import path

from . import public_views
from .views import notices, objections

urlpatterns = [
    path("notice/<slug:code>/", public_views.notice_public, name="notice_public"),
    path("notices/", notices.notice_list, name="notices"),
    path("notices/new/", notices.notice_new, name="notice_new"),
    path("notices/rounds/<uuid:pk>/classes/<int:unit>/skip/", notices.class_notice_skip, name="class_notice_skip"),
    path("notices/<uuid:pk>/", notices.notice_detail, name="notice"),
    path("notices/<uuid:pk>/notice.pdf", notices.notice_pdf, name="notice_pdf"),
    path("notices/<uuid:pk>/close/", notices.notice_close, name="notice_close"),
    path("notices/<uuid:pk>/photo/", notices.notice_photo, name="notice_photo"),
    path("notices/lines/<int:line>/objections/new/", objections.objection_new, name="objection_new"),
    path("objections/<uuid:pk>/settle/", objections.objection_settle, name="objection_settle"),
]
