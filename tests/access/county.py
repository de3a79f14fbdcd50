"""One county with a case in every state, and one person of every role: what the matrix is asked about.

Everything a school must not let out carries the school's own mark in its name: 甲 for the first, 乙 for the second.
"""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import audit_checks, clock
from accounts.models import Unit, User
from aidadmin import hand_overs
from aidadmin.demo_roster import HEADERS, ClassPlan, rows, workbook
from archives import dossiers
from archives.models import HandOver
from publicity import notices, objections
from students import (
    circumstances,
    confirmations,
    fictitious,
    identity,
    list_profiles,
    list_versions,
    rosters,
    staff_accounts,
)
from students.models import Category, Enrolment, ListMatch, ListProfile, Recheck, RosterImport, Term
from subsidies import (
    concerns,
    declarations,
    funding,
    minutes,
    payout_sheets,
    quotas,
    receipts,
    recognition_rechecks,
    reviews,
    rollovers,
)
from subsidies.models import (
    Application,
    Concern,
    ConcernReason,
    Decision,
    FundShare,
    Meeting,
    ProgrammeExclusion,
    Recognition,
    Round,
)
from subsidies.states import State
from tests import cast as casting
from tests.students import list_files
from tests.subsidies import quota_hands

# Columns of the matrix, in order.
ROLES = (
    "teacher",  # of the class
    "other_teacher",  # of another class of the school
    "officer",
    "principal",
    "grade_head",
    "other_officer",  # of another school of the county
    "clerk",
    "head",
    "inspector",
    "admin",
    "far_clerk",  # of another county
    "idle",  # an account without any appointment
    "stranger",  # not signed in
)


@dataclass
class County:
    people: dict[str, User | None]
    subjects: dict[str, Any]  # by the name of the keyword in addresses or of the page
    pupils: dict[str, list[str]]  # by school: names that belong to it alone


def build() -> County:
    cast = casting.gather()
    people: dict[str, User | None] = {
        "teacher": cast.teacher_a1,
        "other_teacher": cast.teacher_a2,
        "officer": cast.officer_a,
        "principal": cast.principal_a,
        "grade_head": cast.grade_head_a,
        "other_officer": cast.officer_b,
        "clerk": cast.clerk,
        "head": cast.head,
        "inspector": cast.inspector,
        "admin": cast.admin,
        "far_clerk": _far_clerk(),
        "idle": User.objects.create_user("idle", name="无任职", password=casting.PASSWORD, must_change_password=False),
        "stranger": None,
    }
    names = [f"甲{letter}" for letter in "子丑寅卯辰巳午未申"]
    pupils = [casting.enrol(cast, cast.class_a1, name=name) for name in names]
    elsewhere = [casting.enrol(cast, cast.class_b1, name=f"乙{letter}") for letter in "子丑"]
    round_ = casting.open_round(cast)
    cases = dict(zip(names, casting.submitted(cast, round_, *pupils[:7]), strict=False))
    other_cases = casting.submitted(cast, round_, *elsewhere)

    subjects = _paid_and_payable(cast, cases, other_cases)
    subjects |= _on_notice(cast, cases)
    subjects |= _rosters(cast)
    subjects |= _lists(cast, pupils, elsewhere)
    subjects |= _changes(cast, subjects["application"])
    subjects |= _rolled_over(cast)
    subjects["recognition"] = _rechecked(cast)
    evidence = circumstances.add(
        pupils[0].pupil,
        category=Category.objects.get(code="disabled"),
        source="collected",
        evidence="残疾证",
        evidence_file=casting.scan("残疾证.pdf"),
        valid_from=dt.date(2026, 9, 1),
        by=cast.officer_a,
    )
    subjects |= _concerns(cast)
    subjects |= _quotas(cast, round_)
    subjects |= _declared(cast, pupils[0], round_)
    subjects["id_correction"] = identity.correct_id(
        pupils[0].pupil,
        id_kind="resident",
        number=fictitious.id_number(40_000, born=dt.date(2013, 5, 7), sex="male"),
        reason="录入时两位数字颠倒",
        evidence_file=casting.scan("户口簿.pdf"),
        by=cast.clerk,
    )
    subjects["hand_over"] = _hand_over(cast)
    subjects["staff_account"] = staff_accounts.add(
        cast.school_a, holder="李老师", number=fictitious.card_number(900_000), by=cast.officer_a
    )
    subjects["enrolment"] = pupils[7]
    subjects["receipt"] = receipts.record(
        round_,
        cast.class_a1,
        pupils[7],
        answer="applies",
        signed_on=clock.today(),
        scan=casting.scan("回执.pdf"),
        by=cast.teacher_a1,
    )
    subjects |= {
        "pupil": pupils[0].pupil,
        "circumstance": evidence,
        "round": round_,
        "class": cast.class_a1,
        "school": cast.school_a,
        "waiting": cases["甲午"],  # submitted
        "person": cast.officer_a,
        "appointment": cast.officer_a.appointments.get(),
        "audit_check": audit_checks.ask(by=cast.head),
        "programme": round_.programme,
    }
    return County(people, subjects, {"a": names, "b": [row.pupil.name for row in elsewhere]})


def _rechecked(cast: casting.Cast) -> Recognition:
    """A pupil of the class whose tier was changed, by a paper."""
    held = Recognition.objects.filter(school_class=cast.class_a1).order_by("pupil__name").first()
    place = Enrolment.objects.select_related("pupil", "term", "school", "school_class").get(
        pupil=held.pupil, term=held.term
    )
    told = recognition_rechecks.Recheck(
        Recognition.Kind.CHANGED,
        seen=held.version,
        tier="困难",
        reason="父亲患病住院",
        evidence="2026年10月家访记录",
        evidence_file=casting.scan("家访记录.pdf"),
    )
    return recognition_rechecks.recheck(place, told, by=cast.officer_a)


def _hand_over(cast: casting.Cast) -> HandOver:
    """Of a post that nobody else here needs; the paper is signed."""
    leaver = casting.person("leaver", "离任者", "grade_head", cast.school_b)
    successor = casting.person("successor", "接任者", "principal", cast.school_b)
    tomorrow = clock.today() + dt.timedelta(days=1)
    made = hand_overs.hand_over(leaver, successor, hand_overs.posts_of(leaver), starts_on=tomorrow, by=cast.admin)
    hand_overs.keep_signed(made, casting.scan("交接单.pdf"), by=cast.admin)
    return made


def _rolled_over(cast: casting.Cast) -> dict[str, Any]:
    """Taken into the spring and back again: the report is there, and the desk stands open."""
    spring = Term.objects.get(key="2026-2027-2")
    done = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a).rollover
    return {"rollover": rollovers.undo(done, by=cast.officer_a), "term": spring}


def _quotas(cast: casting.Cast, round_: Round) -> dict[str, Any]:
    """Places from the county to the first class, and a category that needs none."""
    quota_hands.receive(cast, round_, 120)
    quota_hands.allot(cast, round_, {cast.school_a: 90})
    quota_hands.pass_on(cast, round_, {cast.class_a1: 40})
    outside = quotas.add_outside(
        round_.programme,
        Category.objects.get(code="tekun"),
        first_term=cast.term.key,
        source="应助尽助",
        county=cast.county,
        by=cast.clerk,
    )
    percentage = quota_hands.percentage(cast, round_.programme, "20")
    return {"quota": quota_hands.held(round_, cast.class_a1), "outside_quota": outside, "percentage": percentage}


def _declared(cast: casting.Cast, place: Enrolment, round_: Round) -> dict[str, Any]:
    """The form of the first pupil's family, signed."""
    rule = declarations.rule_of(round_.programme, cast.term)
    assert rule
    held = declarations.declare(place, casting.answers(), based_on=0, reason="", by=cast.teacher_a1)
    signed = declarations.attach_signed(
        held, rule, casting.scan("申请表.pdf"), signed_on=clock.today(), signer="guardian", by=cast.officer_a
    )
    return {"form_rule": rule, "signed_form": signed}


def _far_clerk() -> User:
    far = Unit.objects.create(level="county", name="平川县")
    return casting.person("far_clerk", "外县经办", "county_clerk", far)


def _paid_and_payable(cast: casting.Cast, cases: dict, other_cases: list) -> dict[str, Any]:
    """One case paid; then a batch of two schools whose sheets are ready and signed."""
    paid = casting.walk(cast, [cases["甲子"]], State.PAID)[0]
    payable = casting.walk(cast, [cases["甲丑"]], State.APPROVED)
    casting.walk(cast, other_cases, State.APPROVED)
    share = FundShare(programme=payable[0].round.programme, levels={"centre": "1/2", "county": "1/2"})
    share.remainder, share.document, share.first_term = "county", "×财教〔2026〕9号", cast.term.key
    funding.record_share(share, county=cast.county, by=cast.clerk)
    batch = casting.batch(cast, payable[0].round)
    for sheet in batch.sheets.all():
        payout_sheets.produce(sheet.pk)
    return {
        "application": paid,
        "notice_over": paid.notice_lines.get().notice,
        "sheet": payable[0].lines.get().sheet,
        "paid_sheet": paid.lines.get().sheet,
        "batch": batch,
        "share": share,
        "meeting": paid.decisions.first().meeting,
        "dossier": dossiers.compile_dossier(paid, by=cast.officer_a),
    }


def _on_notice(cast: casting.Cast, cases: dict) -> dict[str, Any]:
    """A running notice: one line without trouble, one with an objection; cases waiting at other desks."""
    casting.walk(cast, [cases["甲寅"], cases["甲卯"]], State.CONFIRMED)
    rows = casting.refreshed([cases["甲寅"], cases["甲卯"]])
    notice = casting.publish(cast, rows)
    notices.attach_photo(notice, casting.scan("公示照片.pdf"), by=cast.officer_a)
    held = rows[1].notice_lines.get()
    objection = objections.receive(
        held, received_on=clock.today(), channel="来电", content="反映情况不符", by=cast.officer_a
    )
    casting.walk(cast, [cases["甲巳"]], State.CONFIRMED)
    meeting = _photographed_meeting(cast, cases["甲辰"])
    minutes.read(meeting, by=meeting.recorded_by)
    return {
        "notice": notice,
        "line": rows[0].notice_lines.get(),
        "objection": objection,
        "photographed": meeting,
        "photo": meeting.photos.get(),
        "signed_minutes": minutes.sign(meeting, casting.scan("会议记录.pdf"), by=meeting.recorded_by),
    }


def _photographed_meeting(cast: casting.Cast, case: Application) -> Meeting:
    held = dataclasses.replace(casting.minutes(), photos=[casting.scan("会议照片.pdf")])
    verdict = reviews.Verdict(case, Decision.Verdict.AGREE)
    return reviews.hold(
        round_=case.round,
        unit=case.school_class,
        level="class",
        minutes=held,
        verdicts=[verdict],
        by=cast.grade_head_a,
    )


def _changes(cast: casting.Cast, paid: Application) -> dict[str, Any]:
    """A class whose teacher confirmed and saw something; a change that left something for the payment desk."""
    rows = confirmations.checklist(cast.class_a1, cast.term)
    seen = [confirmations.Seen(row.place, "suspend", "生病住院") for row in rows if row.place.pupil.name == "甲未"]
    held = confirmations.confirm(
        cast.class_a1, cast.term, seen=confirmations.digest(rows), reports=seen, by=cast.teacher_a1
    )
    casting.change_boarding(paid.enrolment, "day", by=cast.officer_a)
    change = paid.pupil.changes.get()
    return {"change": change, "follow_up": change.effects.get().follow_up, "report": held.reports.get()}


def _concerns(cast: casting.Cast) -> dict[str, Any]:
    """Two pupils nobody filed for: one waits, of the other the parents refused in writing; a screening that waits."""
    concerns.find(cast.county, cast.term, by=cast.clerk)
    missed = {row.pupil.name: row for row in Concern.objects.filter(kind=Concern.Kind.MISSED)}
    reason = ConcernReason.objects.get(kind=Concern.Kind.MISSED, code="refused")
    said = concerns.settle(missed["甲申"], reason=reason, proof=casting.scan("放弃书.pdf"), by=cast.officer_a)
    return {
        "concern": missed["甲未"],
        "settled_concern": missed["甲申"],
        "settlement": said,
        "concern_reason": reason,
        "screening": concerns.ask(cast.school_a, cast.term, by=cast.officer_a),
        "exclusion": ProgrammeExclusion.objects.first(),
    }


def _rosters(cast: casting.Cast) -> dict[str, Any]:
    """One roster that waits for the officer's word, and one with a header nobody knows."""
    pupils = rows([ClassPlan("七年级", "七年级1班", 2, 2013)], first_serial=30_000)
    headers = tuple("学籍系统号码" if header == "身份证件号" else header for header in HEADERS)
    unsure = [{**row, "学籍系统号码": row["身份证件号"]} for row in pupils]

    def check(content: bytes) -> RosterImport:
        file = SimpleUploadedFile("名册.xlsx", content)
        return rosters.check_roster(file, unit=cast.school_a, term=cast.term, by=cast.officer_a)

    return {"roster": check(workbook(pupils)), "unsure_roster": check(workbook(unsure, headers=headers))}


def _lists(cast: casting.Cast, pupils: list[Enrolment], elsewhere: list[Enrolment]) -> dict[str, Any]:
    """Two versions of a list that one pupil of each school left, somebody alike, and a version that waits."""
    list_profiles.load(cast.county, by=cast.clerk)
    left = [list_files.Somebody(row.pupil.name, list_files.number_of(row.pupil)) for row in (pupils[1], elsewhere[1])]
    stays = [list_files.Somebody(row.pupil.name, list_files.number_of(row.pupil)) for row in (pupils[2], elsewhere[0])]
    alike = [list_files.Somebody(pupils[3].pupil.name, list_files.miswritten(list_files.number_of(pupils[3].pupil)))]
    first, second = clock.today() - dt.timedelta(days=9), clock.today()
    list_files.taken(cast, "disabled", [*left, *stays, *alike], first)
    taken = list_files.taken(cast, "disabled", [*stays, *alike, list_files.stranger(1)], second)
    waiting = list_versions.upload(
        list_files.upload("low-income", stays),
        profile=ListProfile.objects.get(code="low-income"),
        as_of=second,
        by=cast.clerk,
    )
    return {
        "list_taken": taken,
        "list_waiting": waiting,
        "recheck": Recheck.objects.get(pupil=pupils[1].pupil),
        "proposal": ListMatch.objects.get(version=taken, state="proposed"),
    }
