"""Two people at one pupil at the same moment, on two real connections: one is first, the other is told."""

import pytest

from students.models import Enrolment, StatusChange
from subsidies import applications, changes
from subsidies.changes import EffectsChanged
from subsidies.models import Application
from subsidies.states import State
from tests.cast import agree, enrol, refreshed, submitted
from tests.subsidies.test_changes import Kind, second_junior, wanted
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_officers_record_at_once_and_one_is_told(cast, round_) -> None:
    place = enrol(cast, cast.class_a1)
    (row,) = submitted(cast, round_, place)
    requests = [wanted(place, Kind.WITHDRAW), wanted(place, Kind.SUSPEND)]
    shown = [changes.plan(request, by=cast.officer_a).digest for request in requests]
    people = [cast.officer_a, cast.clerk]
    results = at_once(
        *[
            lambda r=r, d=d, p=p: changes.record(r, by=p, seen=d)
            for r, d, p in zip(requests, shown, people, strict=True)
        ]
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 1
    assert type(refused[0]).__name__ in ("ChangeRefused", "EffectsChanged")
    assert StatusChange.objects.count() == 1
    assert refreshed([row])[0].state == State.WITHDRAWN


def test_a_review_and_a_withdrawal_at_once_leave_one_of_them(cast, round_) -> None:
    place = enrol(cast, cast.class_a1)
    (row,) = submitted(cast, round_, place)
    request = wanted(place, Kind.WITHDRAW)
    shown = changes.plan(request, by=cast.officer_a).digest
    results = at_once(
        lambda: changes.record(request, by=cast.officer_a, seen=shown),
        lambda: agree(refreshed([row]), "class", cast.class_a1, by=cast.grade_head_a),
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 1, results
    reached = refreshed([row])[0].state
    assert reached == (State.CLASS_REVIEWED if isinstance(refused[0], EffectsChanged) else State.WITHDRAWN)
    assert Enrolment.objects.get().standing == ("present" if reached == State.CLASS_REVIEWED else "withdrawn")


def test_filing_and_leaving_at_once_leave_no_case_of_somebody_who_left(cast, round_) -> None:
    place = enrol(cast, cast.class_a1)
    request = wanted(place, Kind.WITHDRAW)
    shown = changes.plan(request, by=cast.officer_a).digest
    results = at_once(
        lambda: changes.record(request, by=cast.officer_a, seen=shown),
        lambda: applications.file(round_, cast.class_a1, [applications.Wish(place)], by=cast.teacher_a1),
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 1, results
    assert Application.objects.exists() == (Enrolment.objects.get().standing == "present")


def test_two_schools_take_the_pupil_in_at_once_and_one_is_told(cast, round_) -> None:
    place = enrol(cast, cast.class_b1)
    _, unit = second_junior(cast)
    out = request_for_out(place)
    changes.record(out, by=cast.officer_b, seen=changes.plan(out, by=cast.officer_b).digest)
    requests = [
        (wanted(place, Kind.TRANSFER_IN, school_class=unit.school_class, boarding="day"), cast.officer_c),
        (wanted(place, Kind.TRANSFER_IN, school_class=cast.class_b1.school_class, boarding="day"), cast.officer_b),
    ]
    shown = [changes.plan(request, by=by).digest for request, by in requests]
    results = at_once(
        *[lambda r=r, p=p, d=d: changes.record(r, by=p, seen=d) for (r, p), d in zip(requests, shown, strict=True)]
    )
    assert len([result for result in results if isinstance(result, Exception)]) == 1, results
    assert Enrolment.objects.filter(pupil=place.pupil, ends_on=None).count() == 1


def request_for_out(place: Enrolment):
    return wanted(place, Kind.TRANSFER_OUT, to_place="外省")
