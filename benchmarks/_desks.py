"""What lies on the desks of the county of `_county`: rosters, lists, changes, concerns, roll-overs, people, files.

As much of each as a busy term leaves, for the pages that list it.
"""

import datetime as dt
import itertools
import random
import uuid

from django.db import transaction

from accounts import clock
from accounts.models import Appointment, User
from archives.models import Dossier
from documents.models import IssuedDocument
from students import list_profiles
from students.models import (
    Category,
    ChangeConfirmation,
    ChangeReport,
    Enrolment,
    ListEntry,
    ListMatch,
    ListProfile,
    ListVersion,
    Recheck,
    RollOver,
    RosterFinding,
    RosterImport,
    StaffAccount,
    StatusChange,
    Term,
)
from students.table_writing import by_column, insert, update
from subsidies.models import Application, ChangeEffect, Concern, ConcernReason, FollowUp, Screening, Settlement
from subsidies.states import State

from . import _county

LIST_ROWS = 20_000  # of one version of a list
STAFF = 75  # accounts of the staff of one school
FINDINGS = 2000  # of one roster: as many as are kept
Place = tuple[uuid.UUID, uuid.UUID, int, int, str, str]  # enrolment, pupil, school, class, path, class name


def lay(county: _county.County) -> None:
    """Fill the desks."""
    chance = random.Random(20261101)
    columns = ("pk", "pupil_id", "school_id", "school_class_id", "path", "class_name")
    places: list[Place] = list(Enrolment.objects.filter(term=county.term).order_by("path", "pk").values_list(*columns))
    with transaction.atomic():
        _people(county)
        _staff_accounts(county)
        _rosters(county)
        _lists(county, places, chance)
        _changes(county, places)
        _concerns(county, places, chance)
        _rollovers(county, places)
        _dossiers(county)
    _county.settle()


def _people(county: _county.County) -> None:
    """A teacher for nineteen classes in twenty."""
    taught = [unit for n, unit in enumerate(county.classes[1:]) if n % 20]
    users = [User(username=f"t{unit.pk}", name=f"教师{unit.pk}", password="!", must_change_password=False)
             for unit in taught]  # fmt: skip
    posts = [
        Appointment(user=user, role="class_teacher", unit=unit, starts_on=dt.date(2026, 9, 1))
        for user, unit in zip(User.objects.bulk_create(users), taught, strict=True)
    ]
    Appointment.objects.bulk_create(posts)


def _staff_accounts(county: _county.County) -> None:
    rows = [(unit.pk, f"教师{n}", f"{unit.pk}-{n}", f"**** {n:04d}") for unit in county.schools for n in range(STAFF)]
    shared = {"county_id": county.unit.pk, "recorded_by_id": county.people["clerk"].pk}
    insert(StaffAccount, by_column(("unit_id", "holder", "number_index", "number_masked"), rows), same=shared)


def _rosters(county: _county.County) -> None:
    """Ten of each school, settled but for the last; one of the county with all the findings that are kept."""
    officer, states = county.people["officer"], RosterImport.State
    rows = []
    for school, n in itertools.product(county.schools, range(10)):
        row = RosterImport(unit=school, term=county.term, checked_by=officer, rows_total=2500, rows_same=2500)
        row.state, row.checked_at = states.CHECKED if n == 9 else states.DISCARDED, clock.now()
        row.settled_at = None if n == 9 else clock.now()
        rows.append(row)
    RosterImport.objects.bulk_create(rows)
    whole = RosterImport(unit=county.unit, term=county.term, checked_by=county.people["clerk"], checked_at=clock.now())
    whole.state, whole.rows_total, whole.errors_total = states.CHECKED, len(county.classes) * _county.PUPILS, FINDINGS
    whole.save()
    levels = ("error", "error", "warning", "change")
    findings = [(n + 2, levels[n % 4], county.schools[n % len(county.schools)].pk, f"某{n}") for n in range(FINDINGS)]
    shared = {"roster_id": whole.pk, "sheet": "学生名册", "column": "身份证件号", "message": "校验码不对，请核对。"}
    insert(RosterFinding, by_column(("row", "level", "school_id", "who"), findings), same=shared)


def _lists(county: _county.County, places: list[Place], chance: random.Random) -> None:
    """Three lists in two versions each: a quarter of the rows are pupils, some only look like one, some changed."""
    clerk = county.people["clerk"]
    list_profiles.load(county.unit, by=clerk)
    kind = Category.objects.filter(code="dibao_rural").order_by("-valid_from").first() or Category.objects.first()
    assert kind
    for number, profile in enumerate(ListProfile.objects.order_by("pk")[:3]):
        meant = chance.sample(places, min(LIST_ROWS // 4, len(places)))
        alike = chance.sample(places, min(1000, len(places)))
        for day in (dt.date(2026, 9, 3), dt.date(2026, 10, 3)):
            version = ListVersion(profile=profile, as_of=day, state="taken", file_name="名单.xls", file_sha256="0" * 64)
            version.read_at = version.taken_at = clock.now()
            version.read_by = version.taken_by = clerk
            version.rows_total = version.persons_total = LIST_ROWS
            version.summary = {"pupils": len(meant), "proposed": len(alike), "given": 0, "rechecks": 0, "findings": 0}
            version.save()
            shift = 0 if day.month == 9 else LIST_ROWS // 20
            rows = [
                (n + 2, f"某{n}", f"{number}-{n + shift}", f"h{n // 3}", "a" if n % 10 or not shift else "b")
                for n in range(LIST_ROWS)
            ]
            entries = by_column(("row", "name", "person_index", "household", "mark"), rows)
            shared = {"version_id": version.pk, "sheet": "1", "category_id": kind.pk, "id_masked": "5399**********1234"}
            insert(ListEntry, entries, same=shared)
            keys = list(ListEntry.objects.filter(version=version).order_by("pk").values_list("pk", flat=True))
            held = [(keys[4 * n], place[1], "by_id") for n, place in enumerate(meant) if 4 * n < len(keys)]
            open_ = [(keys[4 * n + 1], place[1], "proposed") for n, place in enumerate(alike) if 4 * n + 1 < len(keys)]
            insert(
                ListMatch, by_column(("entry_id", "pupil_id", "state"), held + open_), same={"version_id": version.pk}
            )
        said = [{"category": kind.pk, "name": kind.name, "denies": False, "flags": {}, "sheet": "1", "row": 2}]
        tasks = [(place[1], place[2]) for place in meant[: LIST_ROWS // 10]]
        shared = {"version_id": version.pk, "kind": "came", "after": said, "opened_by_id": clerk.pk}
        shared["opened_at"] = clock.now()
        insert(Recheck, by_column(("pupil_id", "school_id"), tasks), same=shared)


def _changes(county: _county.County, places: list[Place]) -> None:
    """One pupil in twenty changed something; one in a hundred was paid before; half of the classes confirmed."""
    officer, school = county.people["officer"], county.schools[1]
    day, now = dt.date(2026, 10, 8), clock.now()
    boards = ({"boarding_label": "寄宿"}, {"boarding_label": "走读"})
    leaves = ({"standing_label": "在读"}, {"to": school.name, "to_school": school.pk})
    rows, gone = [], []
    for n, (place, pupil, _, _, path, class_name) in enumerate(places[::20]):
        kind, (before, after) = ("transfer_out", leaves) if n % 20 == 7 else ("boarding", boards)
        if kind == "transfer_out":
            gone.append((place, "transferred", day))
        rows.append((uuid.uuid4(), place, pupil, path, kind, {**before, "class_name": class_name}, after))
    shared = {"term_id": county.term.pk, "on": day, "at": now, "by_id": officer.pk}
    columns = ("id", "enrolment_id", "pupil_id", "path", "kind", "before", "after")
    insert(StatusChange, by_column(columns, rows), same=shared)
    update(Enrolment, ("standing", "ends_on"), gone)

    by_pupil = {row[2]: row[0] for row in rows}
    cases = Application.objects.filter(state__in=(State.PAID, State.IN_BATCH), pupil__in=by_pupil).order_by("pk")
    hit = [(uuid.uuid4(), by_pupil[pupil], case, state) for case, pupil, state in cases.values_list(
        "pk", "pupil_id", "state")]  # fmt: skip
    shared = {"outcome": "desk", "sentence": "已编入发放批次。", "at": now, "by_id": officer.pk}
    insert(ChangeEffect, by_column(("id", "change_id", "application_id", "state"), hit), same=shared)
    insert(FollowUp, {"effect_id": [row[0] for row in hit]})

    said = [
        ChangeConfirmation(
            school_class=unit, term=county.term, pupils=50, changes=2, confirmed_at=now, confirmed_by=officer
        )
        for unit in county.classes[::2]
    ]
    by_class = {row.school_class_id: row.pk for row in ChangeConfirmation.objects.bulk_create(said)}
    seen = [(by_class[place[3]], place[0]) for place in places[1::100] if place[3] in by_class]
    insert(ChangeReport, by_column(("confirmation_id", "enrolment_id"), seen), same={"kind": "withdraw"})


def _concerns(county: _county.County, places: list[Place], chance: random.Random) -> None:
    """One pupil in seven; an eighth of them settled."""
    clerk, day = county.people["clerk"], "2026-08-31"
    facts = {
        "age": {"on": day, "age": 17, "stage": "junior", "min": 11, "max": 16},
        "expiring": {"because": "category", "name": "农村低保", "ends_on": "2026-12-31"},
        "missed": {"before": "none", "kinds": [], "programme": "x", "programme_name": "生活补助"},
    }
    rows = []
    for _, pupil, school, _, path, class_name in places[::7]:
        kind = chance.choice(list(facts))
        rows.append((pupil, school, path, class_name, kind, facts[kind]))
    shared = {"term_id": county.term.pk, "digest": "0" * 64, "found_at": clock.now()}
    columns = ("pupil_id", "owner_id", "path", "class_name", "kind", "facts")
    insert(Concern, by_column(columns, rows), same=shared)
    reason = ConcernReason.objects.filter(kind="age").order_by("pk").first()
    assert reason
    settled = list(Concern.objects.filter(kind="age").order_by("pk").values_list("pk", flat=True)[: len(rows) // 8])
    shared = {"reason_id": reason.pk, "digest": "0" * 64, "at": clock.now(), "by_id": clerk.pk}
    insert(Settlement, {"concern_id": settled}, same=shared)
    said = Settlement.objects.order_by("pk").values_list("concern_id", "pk")
    update(Concern, ("state", "settlement"), [(concern, "settled", settlement) for concern, settlement in said])
    Screening.objects.create(
        unit=county.unit, term=county.term, state="done", asked_at=clock.now(), finished_at=clock.now()
    )


def _rollovers(county: _county.County, places: list[Place]) -> None:
    """Every school was taken into the term, each with a report that names two hundred."""
    spring = Term.objects.get(key="2025-2026-2")
    named = [
        {
            "class_name": place[5],
            "name": "某",
            "pupil": str(place[1]),
            "kind": "农村低保",
            "what": "到期",
            "remedy": "核实",
        }
        for place in places[:200]
    ]
    officer, report = county.people["officer"], {"classes": [], "evidence": named, "notes": [], "lists": []}
    RollOver.objects.bulk_create(
        RollOver(school=school, source=spring, target=county.term, report=report, done_at=clock.now(), done_by=officer)
        for school in county.schools
    )


def _dossiers(county: _county.County) -> None:
    """A file for every fourth case."""
    cases = Application.objects.order_by("pk").values_list("pk", "school_id")
    documents = [
        (IssuedDocument(kind="dossier", number=f"测量〔2026〕dossier{n}号", unit_id=school), case)
        for n, (case, school) in enumerate(cases)
        if n % 4 == 0
    ]
    rows = [(document.pk, document.number, document.code, document.unit_id) for document, _ in documents]
    insert(IssuedDocument, by_column(("id", "number", "code", "unit_id"), rows), same={"kind": "dossier"})
    filed = [(case, document.pk) for document, case in documents]
    insert(Dossier, by_column(("application_id", "document_id"), filed), same={"digest": "0" * 64})
