"""Addresses of the money's desks."""

from django.urls import path

from .views import applications, batches, county, filing, programmes, reviews, rounds

urlpatterns = [
    path("programmes/", programmes.programme_list, name="programmes"),
    path("programmes/<slug:code>/", programmes.programme_detail, name="programme"),
    path("programmes/<slug:code>/standards/add/", programmes.standard_add, name="standard_add"),
    path("rounds/", rounds.round_list, name="rounds"),
    path("rounds/open/", rounds.round_open, name="round_open"),
    path("rounds/<uuid:pk>/", rounds.round_detail, name="round"),
    path("rounds/<uuid:pk>/withdraw/", rounds.round_withdraw, name="round_withdraw"),
    path("rounds/<uuid:pk>/window/", rounds.round_window, name="round_window"),
    path("rounds/<uuid:pk>/classes/<int:unit>/file/", filing.class_file, name="class_file"),
    path("rounds/<uuid:pk>/classes/<int:unit>/review/", reviews.meeting_hold, {"level": "class"}, name="class_review"),
    path(
        "rounds/<uuid:pk>/schools/<int:unit>/review/", reviews.meeting_hold, {"level": "school"}, name="school_review"
    ),
    path("rounds/<uuid:pk>/schools/<int:unit>/report/", county.school_report, name="school_report"),
    path("rounds/<uuid:pk>/schools/<int:unit>/verify/", county.school_verify, name="school_verify"),
    path("rounds/<uuid:pk>/schools/<int:unit>/approve/", county.school_approve, name="school_approve"),
    path("rounds/<uuid:pk>/batch/", batches.batch_make, name="batch_make"),
    path("meetings/<uuid:pk>/", reviews.meeting_detail, name="meeting"),
    path("meetings/<uuid:pk>/photos/<uuid:photo>/", reviews.meeting_photo, name="meeting_photo"),
    path("applications/", applications.application_list, name="applications"),
    path("applications/<uuid:pk>/", applications.application_detail, name="application"),
    path("applications/<uuid:pk>/withdraw/", applications.application_withdraw, name="application_withdraw"),
    path("batches/", batches.batch_list, name="batches"),
    path("batches/<uuid:pk>/", batches.batch_detail, name="batch"),
    path("batches/<uuid:pk>/progress/", batches.batch_progress, name="batch_progress"),
    path("sheets/<uuid:pk>/", batches.sheet_detail, name="sheet"),
    path("sheets/<uuid:pk>/sheet.pdf", batches.sheet_file, {"kind": "pdf"}, name="sheet_pdf"),
    path("sheets/<uuid:pk>/sheet.xlsx", batches.sheet_file, {"kind": "xlsx"}, name="sheet_xlsx"),
    path("sheets/<uuid:pk>/signed/", batches.sheet_sign, name="sheet_sign"),
    path("sheets/<uuid:pk>/signed/file/", batches.sheet_signed_copy, name="sheet_signed_copy"),
    path("sheets/<uuid:pk>/payment/", batches.sheet_pay, name="sheet_pay"),
    path("sheets/<uuid:pk>/retry/", batches.sheet_retry, name="sheet_retry"),
]
