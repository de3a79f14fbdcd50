"""Every address of the system."""

from django.urls import include, path

from . import hand_over_desk, health, home

urlpatterns = [
    path("", home.home, name="home"),
    path("waiting/", home.waiting_list, name="waiting"),
    path("people/<int:pk>/hand-over/", hand_over_desk.hand_over_new, name="hand_over_new"),
    path("hand-overs/<uuid:pk>/", hand_over_desk.hand_over, name="hand_over"),
    path("hand-overs/<uuid:pk>/paper/", hand_over_desk.hand_over_paper, name="hand_over_paper"),
    path("hand-overs/<uuid:pk>/signed/<int:copy>/", hand_over_desk.hand_over_signed, name="hand_over_signed"),
    path("demo/clock/", home.demo_clock_advance, name="demo_clock_advance"),
    path("healthz", health.live, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("", include("accounts.urls")),
    path("", include("documents.urls")),
    path("", include("students.urls")),
    path("", include("subsidies.urls")),
    path("", include("publicity.urls")),
    path("", include("archives.urls")),
]

handler400 = "aidadmin.errors.bad_request"
handler403 = "aidadmin.errors.permission_denied"
handler404 = "aidadmin.errors.page_not_found"
handler500 = "aidadmin.errors.server_error"
