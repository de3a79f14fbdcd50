"""工作交接: one page with what is open, and the posts move; both sign."""

import datetime as dt
import io

import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from accounts import appointments, clock, people, scopes
from accounts.models import Appointment, AuditRow, User
from accounts.roles import Permission
from aidadmin import hand_overs
from aidadmin.waiting import waiting_for
from archives.models import HandOver, SignedHandOver
from documents import issuing
from documents.models import IssuedDocument
from subsidies import reviews
from subsidies.models import Decision
from subsidies.states import State
from tests import cast as casting
from tests.cast import TODAY, Cast, enrol, open_round, submitted, walk

TOMORROW = TODAY + dt.timedelta(days=1)


@pytest.fixture
def newcomer(cast: Cast) -> User:
    return people.open_account("wang.fang", "王芳", by=cast.admin)[0]


@pytest.fixture
def busy(cast: Cast) -> User:
    """The officer of the first school with two cases before the school review and one that went back."""
    round_ = open_round(cast)
    pupils = [enrol(cast, cast.class_a1, name=f"张{n}") for n in "一二"]
    walk(cast, submitted(cast, round_, *pupils), State.CLASS_REVIEWED)
    (back,) = submitted(cast, round_, enrol(cast, cast.class_a2, name="刘小溪"))
    verdict = reviews.Verdict(back, Decision.Verdict.RETURN, opinion="补一份材料")
    reviews.hold(
        round_=round_,
        unit=cast.class_a2,
        level="class",
        minutes=casting.minutes(),
        verdicts=[verdict],
        by=cast.grade_head_a,
    )
    return cast.officer_a


def move(cast: Cast, leaver: User, successor: User, *, starts_on: dt.date = TOMORROW) -> HandOver:
    return hand_overs.hand_over(leaver, successor, hand_overs.posts_of(leaver), starts_on=starts_on, by=cast.admin)


def test_the_posts_move_and_nobody_elses(cast: Cast, newcomer: User, busy: User) -> None:
    other = casting.person("other", "另一专干", "aid_officer", cast.school_a)
    made = move(cast, busy, newcomer)
    assert Appointment.objects.get(user=busy).ends_on == TODAY
    assert Appointment.objects.get(user=newcomer).starts_on == TOMORROW
    assert Appointment.objects.get(user=other).ends_on is None
    assert made.posts == ["云岭县第一初级中学资助专干"]
    row = AuditRow.objects.get(action="hand_over.make")
    assert (row.detail["leaver"], row.detail["successor"], row.detail["document"]) == (
        busy.pk,
        newcomer.pk,
        made.document.number,
    )


def test_the_paper_says_what_is_open_what_is_to_come_back_and_what_they_may_do(
    cast: Cast, newcomer: User, busy: User
) -> None:
    made = move(cast, busy, newcomer)
    pages = pypdf.PdfReader(io.BytesIO(issuing.read_pdf(made.document))).pages
    text = "".join(page.extract_text() for page in pages).replace("\n", "").replace(" ", "")
    expected = (
        "学生资助工作交接单",
        "待学校评审",
        "2人",
        "七年级2班",
        "上报县中心",
        "移交人签字",
        made.document.number,
    )
    assert [told for told in expected if told not in text] == []
    # Neither pupils nor their numbers are anybody's business here.
    assert "刘小溪" not in text
    assert "张一" not in text
    assert made.document.kind == IssuedDocument.Kind.HAND_OVER
    assert all(person.name not in str(made.document.facts) for person in (busy, newcomer))


def test_deputies_of_who_leaves_end_too(cast: Cast, newcomer: User, busy: User) -> None:
    post, week = busy.appointments.get(), TODAY + dt.timedelta(days=7)
    given = appointments.act_for(post, cast.teacher_a1, starts_on=TODAY, ends_on=week, reason="病假", by=cast.admin)
    move(cast, busy, newcomer)
    given.refresh_from_db()
    assert given.ends_on == TODAY


def test_only_what_belongs_to_the_posts_goes_with_them(cast: Cast, newcomer: User, busy: User) -> None:
    casting.appoint(busy, "class_teacher", cast.class_a2)
    everything = hand_overs.contents(busy, list(hand_overs.posts_of(busy)))
    of_the_class = hand_overs.contents(busy, list(hand_overs.posts_of(busy).filter(role="class_teacher")))
    assert "待学校评审" in {each.title for each in everything.waiting}
    assert "待学校评审" not in {each.title for each in of_the_class.waiting}
    assert [(each.place, each.count) for each in of_the_class.returned] == [("云岭县第一初级中学 七年级2班", 1)]


def test_a_refusal_moves_nothing_and_takes_no_number(cast: Cast, newcomer: User, busy: User) -> None:
    yesterday = TODAY - dt.timedelta(days=1)
    with pytest.raises(ValidationError, match="不能早于今天"):
        move(cast, busy, newcomer, starts_on=yesterday)
    with pytest.raises(ValidationError, match="接收人就是移交人"):
        move(cast, busy, busy)
    with pytest.raises(ValidationError, match="请至少选择一项"):
        hand_overs.hand_over(busy, newcomer, [], starts_on=TOMORROW, by=cast.admin)
    with pytest.raises(ValidationError, match="不在移交人名下"):
        hand_overs.hand_over(busy, newcomer, hand_overs.posts_of(cast.officer_b), starts_on=TOMORROW, by=cast.admin)
    with pytest.raises(PermissionDenied):
        hand_overs.hand_over(busy, newcomer, hand_overs.posts_of(busy), starts_on=TOMORROW, by=cast.clerk)
    assert not newcomer.appointments.exists()
    assert not IssuedDocument.objects.filter(kind=IssuedDocument.Kind.HAND_OVER).exists()


def test_an_ended_post_is_not_moved_twice(cast: Cast, newcomer: User, busy: User) -> None:
    posts = list(hand_overs.posts_of(busy))
    move(cast, busy, newcomer)
    third = people.open_account("third", "第三人", by=cast.admin)[0]
    with pytest.raises(ValidationError, match="已在2026年10月12日结束"):
        hand_overs.hand_over(busy, third, posts, starts_on=TODAY + dt.timedelta(days=5), by=cast.admin)


# --- the pages ------------------------------------------------------------------------------------


def test_from_the_persons_page_to_the_signed_copy(cast: Cast, newcomer: User, busy: User, as_user) -> None:
    client = as_user(cast.admin)
    address = reverse("hand_over_new", args=[busy.pk])
    assert address in client.get(reverse("person", args=[busy.pk])).content.decode()
    page = client.get(address).content.decode()
    assert "待学校评审" in page
    assert "七年级2班" in page
    assert "刘小溪" not in page
    data = {"posts": [busy.appointments.get().pk], "successor": "王芳", "starts_on": TOMORROW}
    assert "不能早于今天" in client.post(address, data | {"starts_on": "2026-10-01"}).content.decode()
    answer = client.post(address, data)
    made = HandOver.objects.get()
    assert answer.url == reverse("hand_over", args=[made.pk])
    assert "待双方签字" in client.get(answer.url).content.decode()
    assert client.get(reverse("hand_over_paper", args=[made.pk])).content.startswith(b"%PDF")
    assert client.get(reverse("hand_over_signed", args=[made.pk, 1])).status_code == 404
    client.post(answer.url, {"file": casting.scan("交接单.pdf")})
    assert "签字的交接单已存档" in client.get(answer.url).content.decode()
    (copy,) = made.signed_copies.all()
    assert client.get(reverse("hand_over_signed", args=[made.pk, copy.pk])).status_code == 200
    assert AuditRow.objects.filter(action="hand_over.read_signed").count() == 1
    assert "已签字" in client.get(address).content.decode()


def test_a_better_scan_follows_and_the_first_stays(cast: Cast, newcomer: User, busy: User, as_user) -> None:
    made = move(cast, busy, newcomer, starts_on=TOMORROW)
    for name in ("交接单.pdf", "更清楚的.pdf"):
        hand_overs.keep_signed(made, casting.scan(name), by=cast.admin)
    client = as_user(cast.admin)
    page = client.get(reverse("hand_over", args=[made.pk])).content.decode()
    assert page.index("更清楚的.pdf") < page.index("交接单.pdf")
    for copy in made.signed_copies.all():
        assert client.get(reverse("hand_over_signed", args=[made.pk, copy.pk])).status_code == 200


def test_a_copy_is_found_at_its_own_hand_over_alone(cast: Cast, newcomer: User, busy: User, as_user) -> None:
    made = move(cast, busy, newcomer, starts_on=TOMORROW)
    copy = hand_overs.keep_signed(made, casting.scan("交接单.pdf"), by=cast.admin)
    clock.set_demo_day(TOMORROW)
    back = move(cast, User.objects.get(pk=newcomer.pk), busy, starts_on=TOMORROW + dt.timedelta(days=1))
    assert as_user(cast.admin).get(reverse("hand_over_signed", args=[back.pk, copy.pk])).status_code == 404


@pytest.mark.parametrize("model", [HandOver, SignedHandOver])
def test_the_database_keeps_what_was_handed_over(cast: Cast, newcomer: User, busy: User, model) -> None:
    made = move(cast, busy, newcomer, starts_on=TOMORROW)
    hand_overs.keep_signed(made, casting.scan("交接单.pdf"), by=cast.admin)
    for verb in ("UPDATE {} SET id = id", "DELETE FROM {}"):
        with pytest.raises(DatabaseError, match="written once"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(verb.format(model._meta.db_table))


def test_the_successor_finds_the_work_on_the_first_page(cast: Cast, newcomer: User, busy: User) -> None:
    move(cast, busy, newcomer, starts_on=TOMORROW)
    clock.set_demo_day(TOMORROW)
    fresh = User.objects.get(pk=newcomer.pk)
    assert scopes.allows(fresh, Permission.HOLD_SCHOOL_REVIEW, cast.class_a1)
    assert "待学校评审" in [each.title for each in waiting_for(fresh)]
