"""Who reviews: nobody over a case of their own, the kinds of people the rule wants, enough of them there."""

import dataclasses

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import AuditRow
from students.models import Enrolment
from subsidies import review_groups, reviews
from subsidies.models import Decision, Meeting, MeetingMember, Programme
from subsidies.reviews import Member, Verdict
from subsidies.states import State
from tests.cast import Cast, enrol, member_fields, minutes, refreshed, submitted, walk
from tests.subsidies.test_pages import _MINUTES, open_as, text_of

K = MeetingMember.Kind
TEACHERS = [Member(f"成员{n}", "教师代表", kind=K.TEACHER) for n in range(10)]


@pytest.fixture
def place(cast: Cast) -> Enrolment:
    return enrol(cast, cast.class_a1, name="张一")


@pytest.fixture
def case(cast, round_, place):
    [row] = submitted(cast, round_, place)
    return row


def guarded_by(place: Enrolment, name: str) -> None:
    place.pupil.guardian_name = name
    place.pupil.save(update_fields=["guardian_name"])


def meet(cast, case, *members: Member, level="class", unit=None, by=None, **changed) -> Meeting:
    held = dataclasses.replace(minutes(), members=[*TEACHERS, *members], **changed)
    return reviews.hold(
        round_=case.round, unit=unit or cast.class_a1, level=level, minutes=held,
        verdicts=[Verdict(case, Decision.Verdict.AGREE)], by=by or cast.officer_a,
    )  # fmt: skip


def refusal(cast, case, *members: Member, **changed) -> str:
    with pytest.raises(ValidationError) as refused:
        meet(cast, case, *members, **changed)
    assert not Meeting.objects.exists()
    assert set(refused.value.message_dict) == {"members"}
    return "".join(refused.value.messages)


# --- nobody over their own case --------------------------------------------------------------------


def test_a_pupil_who_applied_does_not_sit(cast, case) -> None:
    told = refusal(cast, case, Member("张一", "班长", kind=K.PUPIL))
    assert told == "“张一”在这个批次申请了资助，申请人和家长不能参加评议小组，请换人。"


def test_a_pupil_who_did_not_apply_sits_and_is_known(cast, case) -> None:
    other = enrol(cast, cast.class_a1, name="李二")
    meeting = meet(cast, case, Member("李二", "班长", kind=K.PUPIL))
    row = meeting.members.get(name="李二")
    assert (row.pupil, row.kind, row.capacity) == (other.pupil, "pupil", "班长")


def test_a_name_that_is_not_in_the_class(cast, case) -> None:
    enrol(cast, cast.class_a2, name="李二")
    assert "本班名册里没有叫“李二”的学生" in refusal(cast, case, Member("李二", "班长", kind=K.PUPIL))


def test_of_two_pupils_of_one_name_the_one_who_did_not_apply_may_sit(cast, case) -> None:
    other = enrol(cast, cast.class_a1, name="张一")
    asked = Member("张一", "班长", kind=K.PUPIL)
    assert "请换人" in refusal(cast, case, asked)
    meeting = meet(cast, case, dataclasses.replace(asked, is_namesake=True))
    assert meeting.members.get(name="张一").pupil == other.pupil
    assert AuditRow.objects.get(action="meeting.hold").detail["namesakes"] == 1


def test_saying_namesake_does_not_let_the_applicant_in(cast, case) -> None:
    told = refusal(cast, case, Member("张一", "班长", kind=K.PUPIL, is_namesake=True))
    assert told == "“张一”在这个批次申请了资助，申请人和家长不能参加评议小组，请换人。"


def test_a_parent_of_an_applicant_does_not_sit(cast, case) -> None:
    told = refusal(cast, case, Member("王秀英", "家长代表", kind=K.PARENT, child="张一", is_namesake=True))
    assert told == "“王秀英”的孩子张一在这个批次申请了资助，申请人和家长不能参加评议小组，请换人。"


def test_a_parent_says_whose_parent(cast, case) -> None:
    assert "是本班哪名学生的家长" in refusal(cast, case, Member("王秀英", "家长代表", kind=K.PARENT))
    child = enrol(cast, cast.class_a1, name="李二", kinds=())
    meeting = meet(cast, case, Member("王秀英", "家长代表", kind=K.PARENT, child=" 李二 "))
    assert meeting.members.get(name="王秀英").pupil == child.pupil


@pytest.mark.parametrize("kind", [K.TEACHER, K.VILLAGE, K.LEADER, K.OTHER])
def test_a_guardian_by_name_does_not_sit_until_somebody_has_looked(cast, case, place, kind) -> None:
    guarded_by(place, "王秀英")
    asked = Member("王秀英", "代表", kind=kind)
    told = refusal(cast, case, asked)
    assert "“王秀英”与申请学生张一的监护人同名" in told
    assert "勾选这一行的“同名，不是同一人”" in told
    meeting = meet(cast, case, dataclasses.replace(asked, is_namesake=True))
    assert meeting.members.get(name="王秀英").is_namesake


def test_a_parent_who_is_guardian_of_an_applicant_too(cast, case, place) -> None:
    """Her one child did not apply; her name is that of another applicant's guardian."""
    enrol(cast, cast.class_a1, name="李二", kinds=())
    guarded_by(place, "王秀英")
    asked = Member("王秀英", "家长代表", kind=K.PARENT, child="李二")
    assert "与申请学生张一的监护人同名" in refusal(cast, case, asked)
    meeting = meet(cast, case, dataclasses.replace(asked, is_namesake=True))
    assert meeting.members.get(name="王秀英").is_namesake


def test_the_guardian_of_an_applicant_does_not_chair(cast, case, place) -> None:
    guarded_by(place, "王秀英")
    assert "主持人“王秀英”与申请学生张一的监护人同名" in refusal(cast, case, chair="王秀英")
    meet(cast, case, Member("王秀英", "教师", kind=K.TEACHER, is_namesake=True), chair="王秀英")


# As somebody types it whose keyboard has no middle dot, or who tidied nothing; and as one is told apart.
_SPELLINGS = [
    "阿依古丽•买买提",
    "阿依古丽・买买提",
    "阿依古丽．买买提",
    "阿依古丽 · 买买提",
    "阿依古丽买买提",
    "阿依古丽·买买提（村民代表）",
]


@pytest.mark.parametrize("typed", _SPELLINGS)
def test_another_spelling_of_a_guardians_name_is_the_same_person(cast, case, place, typed) -> None:
    guarded_by(place, "阿依古丽·买买提")
    assert "监护人同名" in refusal(cast, case, Member(typed, "村民代表", kind=K.VILLAGE))
    assert "监护人同名" in refusal(cast, case, chair=typed)
    meeting = meet(cast, case, Member(typed, "村民代表", kind=K.VILLAGE, is_namesake=True))
    assert meeting.members.get(kind=K.VILLAGE).is_namesake


@pytest.mark.parametrize("typed", ["王 秀英", "王\u3000秀英", "王秀\u200b英"])
def test_a_blank_in_a_guardians_name_makes_nobody_another_person(cast, case, place, typed) -> None:
    guarded_by(place, "王秀英")
    assert "监护人同名" in refusal(cast, case, Member(typed, "代表", kind=K.OTHER))


@pytest.mark.parametrize("typed", _SPELLINGS[:5])
def test_another_spelling_of_an_applicants_name_is_the_applicant(cast, round_, typed) -> None:
    place = enrol(cast, cast.class_a1, name="阿依古丽·买买提")
    [case] = submitted(cast, round_, place)
    parent = Member("王秀英", "家长代表", kind=K.PARENT, child=typed)
    assert "申请人和家长不能参加评议小组" in refusal(cast, case, Member(typed, "班长", kind=K.PUPIL))
    assert "申请人和家长不能参加评议小组" in refusal(cast, case, parent)
    walk(cast, [case], State.CLASS_REVIEWED)
    with pytest.raises(ValidationError, match="申请人和家长不能参加评议小组"):
        meet(cast, refreshed([case])[0], parent, level="school", unit=cast.school_a)


def test_a_pupil_is_found_whatever_dot_was_typed(cast, case) -> None:
    other = enrol(cast, cast.class_a1, name="阿依古丽·买买提")
    meeting = meet(cast, case, Member("阿依古丽•买买提", "班长", kind=K.PUPIL))
    assert meeting.members.get(kind=K.PUPIL).pupil == other.pupil


def test_an_applicant_does_not_chair(cast, case) -> None:
    assert "主持人“张一”与一名申请学生同名" in refusal(cast, case, chair="张一")


def test_two_of_one_name_are_told_apart_in_brackets(cast, case) -> None:
    twice = [Member("王芳", "语文教师", kind=K.TEACHER), Member("王 芳", "数学教师", kind=K.TEACHER)]
    assert "例如“王芳（语文教师）”" in refusal(cast, case, *twice)
    meet(cast, case, twice[0], Member("王芳（数学）", "数学教师", kind=K.TEACHER))


def test_a_pupil_of_the_class_is_found_however_the_name_is_written(cast, case) -> None:
    enrol(cast, cast.class_a1, name="李二")
    meeting = meet(cast, case, Member("李　二", "班长", kind=K.PUPIL))
    assert meeting.members.get(kind=K.PUPIL).name == "李二"


@pytest.mark.parametrize(("kind", "child"), [(K.OTHER, ""), (K.TEACHER, ""), (K.PARENT, "李二")])
def test_an_applicant_does_not_sit_as_anything_else(cast, case, kind, child) -> None:
    enrol(cast, cast.class_a1, name="李二", kinds=())
    asked = Member("张一", "代表", kind=kind, child=child)
    assert "“张一”与一名申请学生同名" in refusal(cast, case, asked)
    meeting = meet(cast, case, dataclasses.replace(asked, is_namesake=True))
    assert meeting.members.get(name="张一").is_namesake


def test_who_is_decided_on_at_another_meeting_is_a_party_too(cast, round_, case) -> None:
    """Two cases of one class; the second meeting is about the one, and the other's mother would sit."""
    [other] = submitted(cast, round_, enrol(cast, cast.class_a1, name="李二"))
    walk(cast, [other], State.CLASS_REVIEWED)
    with pytest.raises(ValidationError, match="王秀英”的孩子李二在这个批次申请了资助"):
        meet(cast, refreshed([case])[0], Member("王秀英", "家长代表", kind=K.PARENT, child="李二"))


def test_at_the_school_an_applicants_parent_is_known_by_the_childs_name(cast, case) -> None:
    [row] = walk(cast, [case], State.CLASS_REVIEWED)
    asked = Member("王秀英", "家长代表", kind=K.PARENT, child="张一")
    with pytest.raises(ValidationError, match="请换人"):
        meet(cast, row, asked, level="school", unit=cast.school_a)
    meet(cast, row, dataclasses.replace(asked, is_namesake=True), level="school", unit=cast.school_a)


def test_a_namesake_nobody_could_mistake_is_not_marked(cast, case) -> None:
    meeting = meet(cast, case, Member("钱七", "教师", kind=K.TEACHER, is_namesake=True))
    assert not meeting.members.filter(is_namesake=True).exists()


def test_the_database_lets_a_pupil_sit_once(cast, case) -> None:
    other = enrol(cast, cast.class_a1, name="李二")
    meeting = meet(cast, case, Member("李二", "班长", kind=K.PUPIL))
    with pytest.raises(IntegrityError), transaction.atomic():
        meeting.members.create(name="李二二", kind=K.PUPIL, capacity="班委", pupil=other.pupil)
    with pytest.raises(IntegrityError), transaction.atomic():
        meeting.members.create(name="赵六", kind=K.TEACHER, capacity="教师", pupil=other.pupil)


# --- the kinds and numbers the rule wants ----------------------------------------------------------


def set_rule(**changed) -> None:
    Programme.objects.get(code="living-aid").process_rules.update(**changed)


def test_pupils_do_not_sit_where_the_rule_says_so(cast, case) -> None:
    enrol(cast, cast.class_a1, name="李二")
    set_rule(seats={"junior": {"pupil": 0}, "primary": {"parent": 2}})
    told = refusal(cast, case, Member("李二", "班长", kind=K.PUPIL))
    assert told == "规定学生不参加这次评议：“李二”请从名单中删去，换成其他人员。"
    meet(cast, case)  # what the rule says of primary schools is not asked of this class


def test_so_many_of_a_kind_have_to_be_there(cast, case) -> None:
    set_rule(seats={"junior": {"village": 2}})
    there = Member("赵支书", "村支书", kind=K.VILLAGE)
    away = Member("钱主任", "村主任", kind=K.VILLAGE, attended=False)
    assert refusal(cast, case, there, away) == ("规定村（居）委会干部至少到会 2 人，现在是 1 人，请补齐后再开会评议。")
    meet(cast, case, there, dataclasses.replace(away, attended=True))


def test_the_strictest_counts_where_a_list_has_two_stages(cast, case) -> None:
    set_rule(seats={"junior": {"pupil": 2, "parent": 1}, "primary": {"pupil": 0, "parent": 3}})
    rule = case.programme.process_rules.get()
    assert review_groups.seats_of(rule, "class", ["junior", "primary"]) == {"pupil": 0, "parent": 3}
    assert review_groups.seats_of(rule, "class", ["primary", "junior"]) == {"pupil": 0, "parent": 3}
    assert review_groups.seats_of(rule, "school", ["junior"]) == {}


def test_who_stayed_away_does_not_count(cast, case) -> None:
    set_rule(class_review_members=11)
    told = refusal(cast, case, Member("赵老师", "任课教师", kind=K.TEACHER, attended=False))
    assert told == "规定评审小组不少于 11 人，名单有 11 人，其中到会 10 人。请补齐成员，到会人数够了再开会评议。"


def test_the_share_of_those_who_came(cast, case) -> None:
    set_rule(attendance_percent=90)
    away = [Member(f"缺席{n}", "任课教师", kind=K.TEACHER, attended=False) for n in range(2)]
    assert refusal(cast, case, *away) == "规定到会率不低于 90%，应到 12 人，到会 10 人。请到会人数够了再开会评议。"
    meeting = meet(cast, case, away[0])
    assert meeting.members.filter(attended=False).count() == 1


# --- the page --------------------------------------------------------------------------------------


def address(cast, round_) -> str:
    return reverse("class_review", args=[round_.pk, cast.class_a1.pk])


def test_the_page_offers_the_group_of_last_time(cast, round_, case) -> None:
    child = enrol(cast, cast.class_a1, name="李二", kinds=())
    meet(cast, case, Member("王秀英", "家长代表", kind=K.PARENT, child="李二"))
    submitted(cast, round_, enrol(cast, cast.class_a1, name="赵三"))
    form = open_as(cast.officer_a).get(address(cast, round_)).context["form"]
    assert [form[f"{name}_11"].value() for name in ("name", "kind", "capacity", "child")] == [
        "王秀英", "parent", "家长代表", child.pupil.name,
    ]  # fmt: skip


def test_the_page_shows_no_kind_that_may_not_sit_and_lists_who_may(cast, round_, case) -> None:
    enrol(cast, cast.class_a1, name="李二", kinds=())
    set_rule(seats={"junior": {"pupil": 0}})
    page = open_as(cast.officer_a).get(address(cast, round_))
    assert "学生不参加" in text_of(page)
    assert "pupil" not in dict(page.context["form"].fields["kind_1"].choices)
    assert page.context["roster"] == ["李二"]


def test_a_namesake_is_asked_for_and_everything_typed_stays(cast, round_, case, place) -> None:
    guarded_by(place, "成员3")
    officer = open_as(cast.officer_a)
    page = text_of(officer.post(address(cast, round_), _MINUTES | member_fields()))
    assert "“成员3”与申请学生张一的监护人同名" in page
    assert 'value="成员9"' in page
    assert 'name="namesake_4"' in page
    answer = officer.post(address(cast, round_), _MINUTES | member_fields() | {"namesake_4": "on"})
    assert answer.status_code == 302


@pytest.mark.parametrize("count", ["", "-1", "99999", "abc", "61"])
def test_a_count_nobody_could_send_does_no_harm(cast, round_, case, count) -> None:
    page = open_as(cast.officer_a).post(address(cast, round_), _MINUTES | {"count": count})
    assert page.status_code == 200
    assert not Meeting.objects.exists()


def test_more_places_keep_what_was_typed_and_record_nothing(cast, round_, case) -> None:
    said = (
        _MINUTES | member_fields("赵老师", "钱老师") | {"more": "1", f"opinion_{case.pk}": "家访属实", "absent_2": "on"}
    )
    page = open_as(cast.officer_a).post(address(cast, round_), said)
    form = page.context["form"]
    assert form.places == 8
    assert [form[name].value() for name in ("name_2", "kind_2", "absent_2", f"opinion_{case.pk}", "place")] == [
        "钱老师", "teacher", "on", "家访属实", "会议室",
    ]  # fmt: skip
    assert "需要改正" not in text_of(page)
    assert not Meeting.objects.exists()
    full = {"more": "1", "count": "60"}
    assert open_as(cast.officer_a).post(address(cast, round_), full).context["form"].places == 60
