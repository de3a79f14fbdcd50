"""What a screening finds: for each kind one that is and its neighbour that is not, brought about by real verbs."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import clock
from accounts.models import Unit, User
from aidadmin.demo_roster import HEADERS, workbook
from students import bank_accounts, circumstances, fictitious, privacy, rosters
from students.models import Category, Circumstance, Enrolment, Pupil, Term
from subsidies import concern_rules, concerns, workflow
from subsidies.models import Application, Concern, Programme, ProgrammeExclusion, Round, StageAges
from subsidies.states import State, Step
from tests import cast as casting
from tests.cast import Cast, enrol, submitted

Kind = Concern.Kind


def look(cast: Cast, *kinds: Kind) -> list[Concern]:
    """The open concerns of the kinds after a screening of the county."""
    concerns.find(cast.county, cast.term, by=cast.clerk)
    rows = Concern.objects.filter(state=Concern.State.OPEN, kind__in=kinds or list(Kind))
    return list(rows.select_related("pupil", "owner").order_by("kind", "path", "pk"))


def named(rows: list[Concern]) -> list[str]:
    return sorted(row.pupil.name for row in rows)


def add(cast: Cast, pupil: Pupil, kind: str, *, by: User | None = None, **more: object) -> Circumstance:
    said = {"source": "matched", "valid_from": dt.date(2026, 9, 1), "evidence": "比对", **more}
    return circumstances.add(pupil, category=Category.objects.get(code=kind), by=by or cast.officer_a, **said)


# --- missed ----------------------------------------------------------------------------------------


def test_entitled_and_not_filed_is_missed_and_the_filed_one_is_not(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1, name="漏报")
    submitted(cast, round_, enrol(cast, cast.class_a1, name="已报"))
    enrol(cast, cast.class_a1, name="不困难", kinds=())
    # A day pupil is aided on fewer grounds: 城镇低保 is none of them.
    enrol(cast, cast.class_a1, name="走读城镇低保", boarding="day", kinds=("dibao_urban",))
    (row,) = look(cast, Kind.MISSED)
    assert (row.pupil.name, row.owner, row.class_name) == ("漏报", cast.school_a, "七年级1班")
    assert row.facts["kinds"] == [{"code": "dibao_rural", "name": "农村低保", "source": "matched"}]


def test_nobody_is_missed_without_a_round_for_the_school(cast: Cast) -> None:
    enrol(cast, cast.class_a1)
    casting.open_round(cast, "senior-grant")
    assert look(cast) == []


def test_withdrawn_is_missed_again_and_refused_is_not(cast: Cast, round_: Round) -> None:
    back, refused = submitted(
        cast, round_, enrol(cast, cast.class_a1, name="撤回"), enrol(cast, cast.class_a1, name="不予资助")
    )
    workflow.advance(back, Step.WITHDRAW, by=cast.teacher_a1, note="家长暂不申请")
    verdict = casting.reviews.Verdict(refused, casting.Decision.Verdict.REJECT, opinion="条件不符")
    casting.reviews.hold(
        round_=round_, unit=cast.class_a1, level="class", minutes=casting.minutes(), verdicts=[verdict],
        by=cast.officer_a,
    )  # fmt: skip
    (row,) = look(cast, Kind.MISSED)
    assert (row.pupil.name, row.facts["before"]) == ("撤回", State.WITHDRAWN)


def test_who_had_a_one_time_aid_in_another_term_is_not_missed(cast: Cast, round_: Round) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1, name="领过"))
    enrol(cast, cast.class_a1, name="漏报")
    Application.objects.update(term=Term.objects.get(key="2026-2027-2"))
    assert named(look(cast, Kind.MISSED)) == ["漏报", "领过"]
    Programme.objects.filter(pk=round_.programme_id).update(unit="once")
    assert named(look(cast, Kind.MISSED)) == ["漏报"]


def test_a_draft_is_missed_once_the_round_has_closed(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1)
    casting.applications.save_drafts(round_, cast.class_a1, [casting.applications.Wish(place)], by=cast.teacher_a1)
    assert look(cast, Kind.MISSED) == []
    clock.set_demo_day(round_.closes_on + dt.timedelta(days=1))
    assert [row.facts["before"] for row in look(cast, Kind.MISSED)] == [State.DRAFT]


# --- aid without evidence --------------------------------------------------------------------------


def test_hardship_that_ended_leaves_the_aid_without_evidence(cast: Cast, round_: Round) -> None:
    one, two = enrol(cast, cast.class_a1, name="已结束"), enrol(cast, cast.class_a1, name="仍有效")
    submitted(cast, round_, one, two)
    circumstances.end(one.pupil.circumstances.get(), on=dt.date(2026, 10, 11), by=cast.officer_a)
    (row,) = look(cast, Kind.WITHOUT_EVIDENCE)
    assert (row.pupil.name, row.facts["problem"], row.facts["now"]) == ("已结束", "ended", [])
    assert [kind["code"] for kind in row.facts["then"]] == ["dibao_rural"]


def test_a_second_ground_carries_the_aid(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1, kinds=("dibao_rural", "disabled"))
    submitted(cast, round_, place)
    circumstances.end(
        place.pupil.circumstances.get(category__code="dibao_rural"), on=dt.date(2026, 10, 11), by=cast.officer_a
    )
    assert look(cast, Kind.WITHOUT_EVIDENCE) == []


def test_collected_without_a_proof_is_no_evidence_and_with_one_it_is(cast: Cast, round_: Round) -> None:
    bare, scanned = (enrol(cast, cast.class_a1, name=name, kinds=()) for name in ("没有证明", "有扫描件"))
    for place in (bare, scanned):
        add(cast, place.pupil, "disabled", source="collected", evidence="", evidence_file=casting.scan())
    submitted(cast, round_, bare, scanned)
    # Rosters of earlier years came without: such rows are what the finder is for.
    Circumstance.objects.filter(pupil=bare.pupil).update(evidence_file=None)
    (row,) = look(cast, Kind.WITHOUT_EVIDENCE)
    assert (row.pupil.name, row.facts["problem"]) == ("没有证明", "no_proof")


def test_a_kind_that_ends_without_a_successor_takes_the_evidence_with_it(cast: Cast, round_: Round) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1, kinds=("dibao_margin",)))
    assert look(cast, Kind.WITHOUT_EVIDENCE) == []
    Category.objects.filter(code="dibao_margin").update(valid_to=dt.date(2026, 10, 1))
    assert len(look(cast, Kind.WITHOUT_EVIDENCE)) == 1


# --- two schools -----------------------------------------------------------------------------------


def test_one_name_and_birth_date_at_two_schools_is_the_countys_and_each_schools(cast: Cast) -> None:
    enrol(cast, cast.class_a1, name="赵一")
    enrol(cast, cast.class_b1, name="赵一")
    enrol(cast, cast.class_b1, name="钱二")
    rows = look(cast, Kind.TWO_SCHOOLS)
    assert [(row.owner, row.pupil.name) for row in rows] == [
        (cast.county, "赵一"),
        (cast.school_a, "赵一"),
        (cast.school_b, "赵一"),
    ]
    whole, *parts = rows
    assert {row.about for row in parts} == {whole}
    assert {member["school"] for member in whole.facts["members"]} == {cast.school_a.pk, cast.school_b.pk}
    assert all(row.facts == {"grounds": ["name"], "others": 1} for row in parts)


@pytest.mark.parametrize("change", ["birth_date", "sex"])
def test_same_name_alone_is_a_homonym(cast: Cast, change: str) -> None:
    enrol(cast, cast.class_a1, name="赵一")
    other = enrol(cast, cast.class_b1, name="赵一").pupil
    setattr(other, change, {"birth_date": dt.date(2013, 5, 7), "sex": "female"}[change])
    other.save()
    assert look(cast, Kind.TWO_SCHOOLS) == []


def test_two_of_one_name_in_one_school_are_told_apart_there(cast: Cast) -> None:
    enrol(cast, cast.class_a1, name="赵一")
    enrol(cast, cast.class_a2, name="赵一")
    assert look(cast, Kind.TWO_SCHOOLS) == []


def test_a_roll_number_that_holds_anothers_id_is_one_child_under_two_numbers(cast: Cast) -> None:
    old = enrol(cast, cast.class_a1, name="旧号")
    new = enrol(cast, cast.class_a2, name="新号")
    number = privacy._unseal(old.pupil, "id")
    privacy.set_roll(old.pupil, "")
    old.pupil.save()
    privacy.set_roll(new.pupil, fictitious.roll_number(number))
    new.pupil.save()
    (row,) = look(cast, Kind.TWO_SCHOOLS)
    # Both in one school: its own matter.
    assert (row.owner, row.facts["grounds"], row.facts["others"]) == (cast.school_a, ["number"], 0)


def test_a_child_on_another_schools_roster_is_named_to_the_county(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1, name="周两校")
    row = dict.fromkeys(HEADERS, "") | {
        "学生姓名": "周两校",
        "身份证件号": privacy._unseal(place.pupil, "id"),
        "年级": "三年级",
        "班级": "三年级1班",
        "就读方式": "走读",
    }
    _send_roster(cast.school_b, [row], cast, by=cast.officer_b)
    whole, part = look(cast, Kind.TWO_SCHOOLS)
    assert (whole.owner, whole.facts["claims"]) == (cast.county, [cast.school_b.pk])
    assert (part.owner, part.facts) == (cast.school_a, {"grounds": ["roster"], "others": 1})
    # The next roster no longer names the child.
    other = dict(row) | {
        "学生姓名": "吴别人",
        "身份证件号": fictitious.id_number(777, born=dt.date(2017, 1, 2), sex="male"),
    }
    _send_roster(cast.school_b, [other], cast, by=cast.officer_b)
    assert look(cast, Kind.TWO_SCHOOLS) == []


def _send_roster(school: Unit, rows: list[dict[str, str]], cast: Cast, *, by: User) -> None:
    file = SimpleUploadedFile("名册.xlsx", workbook(rows))
    rosters.check_roster(file, unit=school, term=cast.term, by=by)


def test_an_ended_place_elsewhere_is_no_second_school(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1, name="赵一")
    Enrolment.objects.filter(pk=place.pk).update(standing="transferred", ends_on=dt.date(2026, 9, 20))
    enrol(cast, cast.class_b1, name="赵一")
    assert look(cast, Kind.TWO_SCHOOLS) == []


# --- programmes that exclude each other ------------------------------------------------------------


def _second_programme(cast: Cast) -> Round:
    """Another programme for the junior stage, as a county adds one."""
    first = Programme.objects.get(code="living-aid")
    second = Programme.objects.create(code="county-aid", name="县政府生活补助", stages=["junior"], basis="县文件")
    for model in ("standards", "accepted", "process_rules"):
        for row in getattr(first, model).all():
            row.pk, row.programme = None, second
            row.save()
    return casting.open_round(cast, "county-aid")


def test_two_programmes_that_exclude_each_other_and_two_that_do_not(cast: Cast, round_: Round) -> None:
    second = _second_programme(cast)
    place = enrol(cast, cast.class_a1, name="两项")
    submitted(cast, round_, place)
    submitted(cast, second, place)
    assert look(cast, Kind.EXCLUDED_TWICE) == []
    pair = concern_rules.add_exclusion(
        second.programme, round_.programme, first_term=cast.term.key, source="县文件", county=cast.county, by=cast.clerk
    )
    (row,) = look(cast, Kind.EXCLUDED_TWICE)
    assert (row.owner, row.pupil.name, len(row.facts["applications"])) == (cast.school_a, "两项", 2)
    ProgrammeExclusion.objects.filter(pk=pair.pk).update(first_term="2027-2028-1")
    assert look(cast, Kind.EXCLUDED_TWICE) == []


@pytest.mark.parametrize("which", [0, 1])
def test_two_programmes_in_one_school_are_filed_under_its_own_record(cast: Cast, round_: Round, which: int) -> None:
    """A namesake at another school may be the same child: the school's concern still shows its own record only."""
    second = _second_programme(cast)
    concern_rules.add_exclusion(
        second.programme, round_.programme, first_term=cast.term.key, source="县文件", county=cast.county, by=cast.clerk
    )
    one, two = enrol(cast, cast.class_a1, name="赵一"), enrol(cast, cast.class_b1, name="赵一")
    # Whichever record has the smaller key: the one at school A is the first of them, then the second.
    smaller, larger = sorted([one.pupil, two.pupil], key=lambda pupil: str(pupil.pk))
    pupil = (smaller, larger)[which]
    Enrolment.objects.filter(pupil=pupil).update(
        school=cast.school_a, school_class=cast.class_a1, path=cast.class_a1.path, stage="junior"
    )
    Enrolment.objects.exclude(pupil=pupil).update(
        school=cast.school_b, school_class=cast.class_b1, path=cast.class_b1.path, stage="primary"
    )
    place = Enrolment.objects.select_related("pupil", "school_class", "school").get(pupil=pupil)
    submitted(cast, round_, place)
    submitted(cast, second, place)
    (row,) = look(cast, Kind.EXCLUDED_TWICE)
    assert (row.owner, row.pupil) == (cast.school_a, pupil)


def test_one_programme_twice_for_one_child_under_two_numbers(cast: Cast, round_: Round) -> None:
    one, two = enrol(cast, cast.class_a1, name="赵一"), enrol(cast, cast.class_b1, name="赵一")
    submitted(cast, round_, one, two)
    whole, *parts = look(cast, Kind.EXCLUDED_TWICE)
    assert whole.owner == cast.county
    assert {part.owner for part in parts} == {cast.school_a, cast.school_b}
    # Each school reads of its own application alone.
    mine = {part.owner_id: part.facts["applications"] for part in parts}
    for application in Application.objects.all():
        assert mine[application.school_id] == [str(application.pk)]
    # The county finds that they are two children: then nobody was aided twice.
    suspect = Concern.objects.get(kind=Kind.TWO_SCHOOLS, owner=cast.county)
    reason = concerns.reasons_for(Kind.TWO_SCHOOLS).get(code="two_children")
    concerns.settle(suspect, reason=reason, note="核对户口簿，是两名学生", by=cast.clerk)
    assert look(cast, Kind.EXCLUDED_TWICE) == []


# --- age -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "is_found"),
    [
        (dt.date(2015, 8, 31), False),  # 11 on the day
        (dt.date(2015, 9, 1), True),  # still 10
        (dt.date(2009, 9, 1), False),  # 16, 17 the day after
        (dt.date(2009, 8, 31), True),  # 17
    ],
)
def test_age_is_asked_on_the_rules_day(cast: Cast, born: dt.date, is_found: bool) -> None:
    place = enrol(cast, cast.class_a1)
    Pupil.objects.filter(pk=place.pupil_id).update(birth_date=born)
    assert bool(look(cast, Kind.AGE)) is is_found


def test_the_countys_own_ages_hold_from_their_term_on(cast: Cast) -> None:
    enrol(cast, cast.class_a1)  # 13
    assert look(cast, Kind.AGE) == []
    stricter = StageAges(stage="junior", min_age=11, max_age=12, first_term=cast.term.key, source="县文件")
    concern_rules.set_ages(stricter, county=cast.county, by=cast.clerk)
    assert [row.facts["age"] for row in look(cast, Kind.AGE)] == [13]


# --- expiring --------------------------------------------------------------------------------------


def test_a_kind_that_ends_within_the_term_and_what_follows_it(cast: Cast) -> None:
    ending, renewed, later = (enrol(cast, cast.class_a1, name=name, kinds=()) for name in ("到期", "续上", "明年到期"))
    until = dt.date(2026, 12, 31)
    for place, end in ((ending, until), (renewed, until), (later, dt.date(2027, 6, 30))):
        add(cast, place.pupil, "dibao_rural", valid_to=end)
    add(cast, renewed.pupil, "dibao_rural", valid_from=dt.date(2027, 1, 1))
    (row,) = look(cast, Kind.EXPIRING)
    assert (row.pupil.name, row.facts["ends_on"], row.facts["because"]) == ("到期", "2026-12-31", "circumstance")


def test_a_kind_without_a_successor_expires_and_one_with_does_not(cast: Cast) -> None:
    enrol(cast, cast.class_a1, name="无后续", kinds=("dibao_margin",))
    enrol(cast, cast.class_a1, name="有后续", kinds=("at_risk",))
    successor = Category.objects.get(code="lifted")
    Category.objects.filter(code="dibao_margin").update(valid_to=dt.date(2026, 12, 31))
    Category.objects.filter(code="at_risk").update(valid_to=dt.date(2026, 12, 31), maps_to=successor)
    assert named(look(cast, Kind.EXPIRING)) == ["无后续"]


# --- siblings --------------------------------------------------------------------------------------


def _share_account(cast: Cast, one: Enrolment, other: Enrolment) -> None:
    number = fictitious.card_number(4242)
    for place in (one, other):
        bank_accounts.change(
            place.pupil, relation="father", holder="张建国", bank="农信社", number=number,
            by=casting.officer_of(cast, place.school),
        )  # fmt: skip


def test_sibling_by_guardian_and_account_is_suggested_to_its_school(cast: Cast, round_: Round) -> None:
    filed, other = enrol(cast, cast.class_a1, name="哥哥"), enrol(cast, cast.class_b1, name="妹妹", kinds=())
    enrol(cast, cast.class_b1, name="无关", kinds=())
    submitted(cast, round_, filed)
    assert look(cast, Kind.SIBLING) == []
    _share_account(cast, filed, other)
    (row,) = look(cast, Kind.SIBLING)
    assert (row.pupil.name, row.owner) == ("妹妹", cast.school_b)
    assert row.facts == {"siblings": [str(filed.pupil_id)], "grounds": ["account"]}


def test_sibling_with_hardship_of_its_own_is_missed_and_not_named_twice(cast: Cast, round_: Round) -> None:
    filed, other = enrol(cast, cast.class_a1, name="哥哥"), enrol(cast, cast.class_b1, name="妹妹")
    submitted(cast, round_, filed)
    _share_account(cast, filed, other)
    assert [(row.kind, row.pupil.name) for row in look(cast)] == [(Kind.MISSED, "妹妹")]


def test_one_account_with_two_guardians_is_no_household(cast: Cast, round_: Round) -> None:
    filed, other = enrol(cast, cast.class_a1, name="哥哥"), enrol(cast, cast.class_b1, name="妹妹", kinds=())
    submitted(cast, round_, filed)
    _share_account(cast, filed, other)
    Pupil.objects.filter(pk=other.pupil_id).update(guardian_name="李别人")
    assert look(cast, Kind.SIBLING) == []


def test_household_of_a_list_makes_siblings(cast: Cast, round_: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    filed, other = enrol(cast, cast.class_a1, name="哥哥"), enrol(cast, cast.class_b1, name="妹妹", kinds=())
    submitted(cast, round_, filed)
    _stand_on_one_household(cast, filed, other)
    assert [row.facts["grounds"] for row in look(cast, Kind.SIBLING)] == [["household"]]


def _stand_on_one_household(cast: Cast, *places: Enrolment) -> None:
    from students.models import ListEntry, ListMatch, ListProfile, ListSource, ListVersion

    source = ListSource.objects.create(county=cast.county, name="民政局（测试）", rank=900)
    profile = ListProfile.objects.create(county=cast.county, code="test-dibao", name="农村低保（测试）", source=source)
    version = ListVersion.objects.create(
        profile=profile, as_of=dt.date(2026, 9, 1), file_name="低保.xls", file_sha256="0" * 64,
        state=ListVersion.State.TAKEN, read_at=clock.now(), read_by=cast.clerk, taken_at=clock.now(),
        taken_by=cast.clerk,
    )  # fmt: skip
    for place in places:
        entry = ListEntry.objects.create(version=version, sheet="1", row=3, name=place.pupil.name, household="h1")
        ListMatch.objects.create(entry=entry, version=version, pupil=place.pupil, state=ListMatch.State.BY_ID)
