"""Addresses of sign-in, accounts, the audit trail and the page of roles."""

from django.urls import path

from . import views

urlpatterns = [
    path("login/", views.sign_in, name="login"),
    path("logout/", views.sign_out, name="logout"),
    path("session/", views.session, name="session"),
    path("password/", views.password_change, name="password_change"),
    path("email/", views.email_change, name="email_change"),
    path("roles/", views.roles, name="roles"),
    path("people/", views.people_list, name="people"),
    path("people/new/", views.person_create, name="person_create"),
    path("people/<int:pk>/", views.person, name="person"),
    path("people/<int:pk>/appoint/<slug:role>/", views.person_appoint, name="person_appoint"),
    path("people/<int:pk>/reset-password/", views.person_reset_password, name="person_reset_password"),
    path("people/<int:pk>/disable/", views.person_disable, name="person_disable"),
    path("people/<int:pk>/enable/", views.person_enable, name="person_enable"),
    path("appointments/<int:pk>/end/", views.appointment_end, name="appointment_end"),
    path("appointments/<int:pk>/deputy/", views.appointment_deputy, name="appointment_deputy"),
    path("audit/", views.audit_trail, name="audit"),
    path("audit/verify/", views.audit_verify, name="audit_verify"),
    path("audit/checks/<int:pk>/", views.audit_check, name="audit_check"),
]
