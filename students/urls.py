"""Addresses of the register. No address holds anything of a person but a random key."""

from django.urls import path

from .views import circumstances, pupils, rosters, schools

urlpatterns = [
    path("schools/", schools.school_list, name="schools"),
    path("schools/add/", schools.school_add, name="school_add"),
    path("schools/<int:pk>/", schools.school_edit, name="school_edit"),
    path("pupils/", pupils.pupils, name="pupils"),
    path("pupils/<uuid:pk>/", pupils.pupil, name="pupil"),
    path("pupils/<uuid:pk>/number/", pupils.pupil_reveal, name="pupil_reveal"),
    path("pupils/<uuid:pk>/account/", pupils.account_change, name="account_change"),
    path("pupils/<uuid:pk>/boarding/", pupils.boarding_change, name="boarding_change"),
    path("pupils/<uuid:pk>/circumstances/add/", circumstances.circumstance_add, name="circumstance_add"),
    path("circumstances/<uuid:pk>/end/", circumstances.circumstance_end, name="circumstance_end"),
    path("circumstances/<uuid:pk>/evidence/", circumstances.circumstance_evidence, name="circumstance_evidence"),
    path("rosters/", rosters.roster_imports, name="roster_imports"),
    path("rosters/new/", rosters.roster_import_new, name="roster_import_new"),
    path("rosters/template/", rosters.roster_template, name="roster_template"),
    path("rosters/<uuid:pk>/", rosters.roster_import, name="roster_import"),
    path("rosters/<uuid:pk>/apply/", rosters.roster_import_apply, name="roster_import_apply"),
    path("rosters/<uuid:pk>/discard/", rosters.roster_import_discard, name="roster_import_discard"),
    path("rosters/<uuid:pk>/findings/", rosters.roster_findings, name="roster_findings"),
]
