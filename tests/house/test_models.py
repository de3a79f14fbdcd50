"""Guards over all models: which way relations point, who stands beside when, what may change."""

from itertools import pairwise

import pytest
from django.apps import apps
from django.db import connection, models

from accounts.models import AppendOnlyQuerySet
from tests.house.tree import ORDER

OURS = [model for model in apps.get_models() if model._meta.app_label in ORDER]

# Evidence: rows are written once. The database refuses UPDATE and DELETE by trigger, the manager before it.
APPEND_ONLY = {
    "accounts.AuditRow",
    "archives.HandOver",
    "archives.SignedHandOver",
    "publicity.NoticeLine",
    "students.IdCorrection",
    "students.StatusChange",
    "subsidies.ChangeEffect",
    "subsidies.Decision",
    "subsidies.Declaration",
    "subsidies.SignedForm",
    "subsidies.DutyHolder",
    "subsidies.Kinship",
    "subsidies.LineShare",
    "subsidies.Meeting",
    "subsidies.MeetingMember",
    "subsidies.MinutesPaper",
    "subsidies.OfficerCheck",
    "subsidies.PackRow",
    "subsidies.PaymentBatch",
    "subsidies.PaymentLine",
    "subsidies.QuotaVersion",
    "subsidies.Receipt",
    "subsidies.Reckoning",
    "subsidies.Recognition",
    "subsidies.Settlement",
    "subsidies.SheetSplit",
    "subsidies.SignedMinutes",
    "subsidies.StepTaken",
}
# Rows that live: a verb may change them, and records that it did.
MUTABLE = {
    "accounts.Appointment",
    "accounts.AuditCheck",
    "accounts.AuditHead",
    "accounts.ReminderMail",
    "accounts.Unit",
    "accounts.User",
    "archives.Dossier",
    "documents.DocumentSeries",
    "documents.IssuedDocument",
    "documents.Upload",
    "publicity.Notice",
    "publicity.Objection",
    "students.BankAccount",
    "students.CalendarYear",
    "students.Category",
    "students.ChangeConfirmation",
    "students.ChangeReport",
    "students.Circumstance",
    "students.ConfirmationRule",
    "students.Enrolment",
    "students.HeaderMeaning",
    "students.ListEntry",
    "students.ListMatch",
    "students.ListProfile",
    "students.ListSource",
    "students.ListVersion",
    "students.Pupil",
    "students.Recheck",
    "students.RollOver",
    "students.RosterFinding",
    "students.RosterImport",
    "students.School",
    "students.SchoolClass",
    "students.SpecialDay",
    "students.StaffAccount",
    "students.Term",
    "subsidies.AcceptedCategory",
    "subsidies.Application",
    "subsidies.AttendanceRule",
    "subsidies.ChangeRule",
    "subsidies.CheckRule",
    "subsidies.Concern",
    "subsidies.ConcernReason",
    "subsidies.DeadlineRule",
    "subsidies.FollowUp",
    "subsidies.FormRule",
    "subsidies.FundShare",
    "subsidies.OutsideQuota",
    "subsidies.PayoutSheet",
    "subsidies.ProcessRule",
    "subsidies.Programme",
    "subsidies.ProgrammeExclusion",
    "subsidies.Quota",
    "subsidies.QuotaPercentage",
    "subsidies.Round",
    "subsidies.RoundDeadline",
    "subsidies.Screening",
    "subsidies.ServedDays",
    "subsidies.StageAges",
    "subsidies.Standard",
    "subsidies.TierWording",
}
# Moments that nobody in particular brought about, each with its reason.
WITHOUT_BY = {
    "accounts.AuditCheck.finished_at": "ended by a worker; asked_by is who wanted it",
    "accounts.ReminderMail.claimed_at": "sent by the daily job; nobody in particular",
    "accounts.ReminderMail.sent_at": "sent by the daily job; nobody in particular",
    "accounts.AuditRow.at": "the actor is kept as text, so that the trail never depends on live rows",
    "students.Pupil.created_at": "made by a roster import, which names the person",
    "subsidies.Application.changed_at": "the steps taken name the person of each change",
    "subsidies.Concern.found_at": "found by comparing rows; the screening names who asked for it",
    "subsidies.Screening.finished_at": "ended by a worker; asked_by is who wanted it",
}


def test_every_model_is_listed_as_written_once_or_changeable():
    assert {model._meta.label for model in OURS} == APPEND_ONLY | MUTABLE
    assert not APPEND_ONLY & MUTABLE


def test_rows_written_once_have_a_manager_that_refuses():
    loose = [name for name in APPEND_ONLY if not isinstance(apps.get_model(name).objects.all(), AppendOnlyQuerySet)]
    assert not loose


@pytest.mark.django_db
def test_rows_written_once_are_held_by_triggers_of_the_database():
    with connection.cursor() as cursor:
        table = "sqlite_master" if connection.vendor == "sqlite" else "information_schema.triggers"
        column = "tbl_name" if connection.vendor == "sqlite" else "event_object_table"
        kind = "WHERE type = 'trigger'" if connection.vendor == "sqlite" else ""
        cursor.execute(f"SELECT DISTINCT {column} FROM {table} {kind}")  # noqa: S608 - our own three words
        held = {row[0] for row in cursor.fetchall()}
    assert {apps.get_model(name)._meta.db_table for name in APPEND_ONLY} - held == set()


def test_relations_point_only_to_packages_further_left():
    wrong = []
    for model in OURS:
        for relation in model._meta.get_fields():
            if relation.auto_created or not relation.is_relation or relation.related_model is None:
                continue
            target = relation.related_model._meta.app_label
            if target in ORDER and ORDER.index(target) > ORDER.index(model._meta.app_label):
                wrong.append(f"{model._meta.label}.{relation.name} → {target}")
    assert not wrong


def test_every_moment_has_its_person():
    alone = []
    for model in OURS:
        names = {field.name for field in model._meta.get_fields()}
        for field in model._meta.get_fields():
            if isinstance(field, models.DateTimeField) and (field.name == "at" or field.name.endswith("_at")):
                key = f"{model._meta.label}.{field.name}"
                if field.name.removesuffix("at") + "by" not in names and key not in WITHOUT_BY:
                    alone.append(key)
    assert not alone


def test_no_exception_for_moments_is_left_over():
    known = {f"{model._meta.label}.{field.name}" for model in OURS for field in model._meta.get_fields()}
    assert set(WITHOUT_BY) <= known


def test_no_amount_is_a_floating_point_number():
    floats = [f"{m._meta.label}.{f.name}" for m in OURS for f in m._meta.fields if isinstance(f, models.FloatField)]
    assert not floats


def test_the_apps_are_installed_in_the_order_of_the_house(settings):
    present = [name for name in settings.INSTALLED_APPS if name in ORDER]
    assert present == ORDER
    assert all(ORDER.index(left) < ORDER.index(right) for left, right in pairwise(present))


def test_the_roof_owns_no_tables():
    assert list(apps.get_app_config("aidadmin").get_models()) == []
