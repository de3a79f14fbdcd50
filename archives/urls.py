"""Addresses of the archive."""

from django.urls import path

from . import views

urlpatterns = [
    path("dossiers/", views.dossier_list, name="dossiers"),
    path("dossiers/<uuid:pk>/", views.dossier, name="dossier"),
]
