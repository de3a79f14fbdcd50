"""The demo county: invented people and pupils, in the middle of the autumn term of 2026.

Everything is done by the real verbs, each step by the person whose turn it is, on the day it would have
happened. One round is finished and paid (the kindergarten), one stands at every desk (the junior school),
and one school waits for its roster, so that a visitor can carry a term through from the first file.
"""

import datetime as dt
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management.base import OutputWrapper

from accounts import appointments, clock
from accounts.models import Appointment, Unit, User
from documents import issuing, signing, xlsx
from publicity import notices, objections
from publicity.models import Notice
from students import circumstances, confirmations, fictitious, list_profiles, list_versions, rosters, working_calendar
from students import reference as students_reference
from students.changes import Kind, Request
from students.models import Category, ListProfile, Pupil, School, SchoolClass, Term
from subsidies import (
    applications,
    changes,
    concerns,
    funding,
    officer_checks,
    payments,
    payout_sheets,
    percentages,
    quotas,
    receipts,
    review_groups,
    reviews,
    rounds,
    school_lists,
    workflow,
)
from subsidies import reference as subsidies_reference
from subsidies.models import (
    Application,
    Concern,
    ConcernReason,
    Decision,
    FundShare,
    Meeting,
    OfficerCheck,
    PayoutSheet,
    Programme,
    QuotaPercentage,
    Receipt,
    Round,
)
from subsidies.states import State, Step

from . import demo_forms
from .demo_roster import ClassPlan, office_workbook, rows, workbook

# User name, and in a few words who that is; printed at the start of `./aid demo`.
ACCOUNTS: tuple[tuple[str, str], ...] = (
    ("jingban", "沈立群 · 县资助中心经办（审核、编制发放批次）"),
    ("jingban2", "罗敏 · 县资助中心经办（登记发放）"),
    ("fuzeren", "高文华 · 县资助中心负责人（审批）"),
    ("ducha", "严正 · 督查（只读）"),
    ("guanli", "唐晓 · 系统管理员（账号和任职，看不到学生）"),
    ("chuzhong", "陈国栋 · 第一初级中学资助专干"),
    ("chuzhong-nj", "曹明华 · 第一初级中学年级组长（记录班级评议）"),
    ("chuzhong-xz", "周永福 · 第一初级中学校长（确认学校评审）"),
    ("ban71", "李春梅 · 第一初级中学七年级1班班主任（待填报）"),
    ("ban72", "王建军 · 第一初级中学七年级2班班主任"),
    ("ban81", "刘志远 · 第一初级中学八年级1班班主任"),
    ("ban82", "孙丽华 · 第一初级中学八年级2班班主任"),
    ("erzhong", "邓兴华 · 第二初级中学资助专干"),
    ("er81", "吕静怡 · 第二初级中学八年级1班班主任"),
    ("xiaoxue", "杨秀英 · 城关小学资助专干（从导入名册开始）"),
    ("xiaoxue-nj", "田小英 · 城关小学年级组长"),
    ("xiaoxue-xz", "赵明德 · 城关小学校长"),
    ("ban31", "马小兰 · 城关小学三年级1班班主任"),
    ("youer", "何静 · 第一幼儿园资助专干"),
    ("youer-nj", "段丽 · 第一幼儿园教研组长"),
    ("youer-yz", "何佩兰 · 第一幼儿园园长"),
    ("daban", "郑小凤 · 第一幼儿园大班班主任"),
)
# One password for all of them. Known to everybody, which is why only the demo has it.
PASSWORD = "yunling-demo-2026"  # noqa: S105
SAMPLE_ROSTER = "样例名册-城关小学.xlsx"

_LAST_DAY = dt.date(2026, 10, 12)
_TERM = "2026-2027-1"


@dataclass
class _County:
    unit: Unit
    term: Term
    schools: dict[str, Unit] = field(default_factory=dict)
    classes: dict[str, Unit] = field(default_factory=dict)
    people: dict[str, User] = field(default_factory=dict)


def build(*, out: OutputWrapper) -> None:
    """Fill an empty database with the demo county, telling `out` what is being done."""
    clock.set_demo_day(dt.date(2026, 9, 7))
    signing.make_county_key("云岭县学生资助中心", replace=True)
    students_reference.load()
    subsidies_reference.load()
    here = _people(_units())
    out.write("  学校、人员、名册……\n")
    _rosters(here)
    _shares(here)
    out.write("  幼儿园：一个已经发放完毕的批次……\n")
    _finished_round(here)
    out.write("  初中：一个正在办理的批次……\n")
    _running_round(here)
    clock.set_demo_day(_LAST_DAY)
    _deputy(here)
    _changes(here)
    out.write("  比对名单：两个版本，几处变化……\n")
    _lists(here)
    _concerns(here)
    (settings.DATA_DIR / SAMPLE_ROSTER).write_bytes(sample_roster())


def _deputy(here: _County) -> None:
    """The head of the grade is away for two weeks: a class teacher acts for her."""
    post = here.people["chuzhong-nj"].appointments.get()
    appointments.act_for(
        post,
        here.people["ban82"],
        starts_on=_LAST_DAY,
        ends_on=_LAST_DAY + dt.timedelta(days=13),
        reason="外出培训",
        by=here.people["guanli"],
    )


def _units() -> _County:
    county = Unit.objects.create(level="county", name="云岭县")
    here = _County(county, Term.objects.get(key=_TERM))
    for key, name, code, stages in (
        ("chuzhong", "云岭县第一初级中学", "5353990001", ["junior"]),
        ("erzhong", "云岭县第二初级中学", "5353990004", ["junior"]),
        ("xiaoxue", "云岭县城关小学", "5353990002", ["primary"]),
        ("youer", "云岭县第一幼儿园", "5353990003", ["preschool"]),
    ):
        here.schools[key] = Unit.objects.create(level="school", name=name, parent=county)
        School.objects.create(
            unit=here.schools[key],
            code=code,
            stages=stages,
            notice_phone="0870-2123456",
            notice_contact="学校资助办公室",
            notice_place="校门口公示栏",
        )
    for key, school, name, stage, grade in (
        ("ban71", "chuzhong", "七年级1班", "junior", "七年级"),
        ("ban72", "chuzhong", "七年级2班", "junior", "七年级"),
        ("ban81", "chuzhong", "八年级1班", "junior", "八年级"),
        ("ban82", "chuzhong", "八年级2班", "junior", "八年级"),
        ("er81", "erzhong", "八年级1班", "junior", "八年级"),
        ("ban31", "xiaoxue", "三年级1班", "primary", "三年级"),
        ("daban", "youer", "大班1班", "preschool", "大班"),
    ):
        here.classes[key] = Unit.objects.create(level="class", name=name, parent=here.schools[school])
        SchoolClass.objects.create(unit=here.classes[key], stage=stage, grade=grade)
    return here


def _people(here: _County) -> _County:
    c, s, k = here.unit, here.schools, here.classes
    posts = {
        "jingban": ("county_clerk", c),
        "jingban2": ("county_clerk", c),
        "fuzeren": ("county_head", c),
        "ducha": ("inspector", c),
        "guanli": ("system_admin", c),
        "chuzhong": ("aid_officer", s["chuzhong"]),
        "chuzhong-nj": ("grade_head", s["chuzhong"]),
        "chuzhong-xz": ("principal", s["chuzhong"]),
        "ban71": ("class_teacher", k["ban71"]),
        "ban72": ("class_teacher", k["ban72"]),
        "ban81": ("class_teacher", k["ban81"]),
        "ban82": ("class_teacher", k["ban82"]),
        "erzhong": ("aid_officer", s["erzhong"]),
        "er81": ("class_teacher", k["er81"]),
        "xiaoxue": ("aid_officer", s["xiaoxue"]),
        "xiaoxue-nj": ("grade_head", s["xiaoxue"]),
        "xiaoxue-xz": ("principal", s["xiaoxue"]),
        "ban31": ("class_teacher", k["ban31"]),
        "youer": ("aid_officer", s["youer"]),
        "youer-nj": ("grade_head", s["youer"]),
        "youer-yz": ("principal", s["youer"]),
        "daban": ("class_teacher", k["daban"]),
    }
    names = {username: text.split(" · ")[0] for username, text in ACCOUNTS}
    shared = make_password(PASSWORD)  # hashing is slow on purpose; once is enough for a password everybody knows
    for username, (role, unit) in posts.items():
        user = User.objects.create(username=username, name=names[username], password=shared, must_change_password=False)
        Appointment.objects.create(user=user, role=role, unit=unit, starts_on=dt.date(2026, 9, 1))
        here.people[username] = user
    return here


_JUNIOR = [
    ClassPlan("七年级", "七年级1班", 24, 2013),
    ClassPlan("七年级", "七年级2班", 24, 2013),
    ClassPlan("八年级", "八年级1班", 24, 2012),
    ClassPlan("八年级", "八年级2班", 24, 2012),
]


def _rosters(here: _County) -> None:
    _import(here, "chuzhong", rows(_JUNIOR, first_serial=1))
    kindergarten = [ClassPlan("大班", "大班1班", 18, 2020, poor_every=2)]
    _import(here, "youer", rows(kindergarten, first_serial=201))
    _import(here, "erzhong", _second_school())


def _second_school() -> list[dict[str, str]]:
    """A small school whose roster brings what only the county can see, beside the first junior school's."""
    found = rows([ClassPlan("八年级", "八年级1班", 12, 2012, poor_every=4)], first_serial=501)
    aided = [row for row in rows(_JUNIOR, first_serial=1) if row["困难类别"] and row["班级"] == "八年级2班"]
    # The same child under another number: in two schools, and with an application at each.
    doubled = aided[1]
    born, sex = dt.date.fromisoformat(doubled["出生日期"]), "male" if doubled["性别"] == "男" else "female"
    number = fictitious.id_number(600, born=born, sex=sex)
    found[4] |= {key: doubled[key] for key in ("学生姓名", "性别", "出生日期", "监护人姓名", "户名", "困难类别")}
    found[4] |= {"身份证件号": number, "全国学籍号": fictitious.roll_number(number), "就读方式": doubled["就读方式"]}
    # The brother or sister of an aided child, paid into the same guardian's account.
    family = ("监护人姓名", "与学生关系", "联系电话", "开户银行", "银行账号", "户名", "户主与学生关系")
    found[5] |= {key: aided[2][key] for key in family}
    found[5]["学生姓名"] = aided[2]["监护人姓名"][0] + "晨曦"
    # Older than a pupil of the stage usually is.
    sex = "male" if found[6]["性别"] == "男" else "female"
    number = fictitious.id_number(601, born=dt.date(2009, 4, 18), sex=sex)
    found[6] |= {"出生日期": "2009-04-18", "身份证件号": number, "全国学籍号": fictitious.roll_number(number)}
    return found


def _concerns(here: _County) -> None:
    """What a screening finds, an example of each kind: a class that has not filed yet, hardship that ended after
    filing, hardship that ends; with the second school's roster a child in two schools, and so on.

    One of them is settled, and one was settled and sent back by the county.
    """
    officer, filed = here.people["chuzhong"], Application.objects.order_by("pupil__name", "pk")
    for unit, last in (("ban81", dt.date(2026, 10, 9)), ("ban82", dt.date(2026, 12, 31))):
        case = filed.filter(school_class=here.classes[unit]).first()
        assert case is not None
        for circumstance in case.pupil.circumstances.filter(valid_to__isnull=True):
            circumstances.end(circumstance, on=last, by=officer)
    concerns.find(here.unit, here.term, by=here.people["jingban"])
    missed = Concern.objects.filter(kind=Concern.Kind.MISSED, owner=here.schools["chuzhong"]).order_by("path", "pk")
    settled, returned = missed[:2]
    for concern, code, note in (
        (settled, "from_elsewhere", "户籍在邻县，已函请当地核实困难情况"),
        (returned, "unreachable", "两次电话未接"),
    ):
        reason = ConcernReason.objects.get(kind=concern.kind, code=code)
        concerns.settle(concern, reason=reason, note=note, by=officer)
    concerns.reopen(returned, note="请班主任家访或请村委会转告后再办结", by=here.people["jingban"])


def _lists(here: _County) -> None:
    """Two versions of the 残联's list: one pupil left it, one came in, one changed degree, one is only alike."""
    clerk = here.people["jingban"]
    list_profiles.load(here.unit, by=clerk)
    pupils = rows(_JUNIOR, first_serial=1)
    known = [row for row in pupils if row["困难类别"] == "残疾学生"]
    newcomer, leaver, alike = [row for row in pupils if not row["困难类别"]][40:43]
    first = [_disabled(row, "三级") for row in [*known, leaver]]
    second = [_disabled(row, "二级" if row is known[0] else "三级") for row in [*known, newcomer]]
    # Somebody typed one figure wrong: the birth date can be read, the person cannot be known by the number.
    number = alike["身份证件号"]
    second.append([alike["学生姓名"], number[:17] + ("0" if number[17] != "0" else "1"), "听力", "四级"])
    for as_of, people in ((dt.date(2026, 9, 3), first), (dt.date(2026, 10, 8), second)):
        columns = [xlsx.Column(header, 20) for header in ("姓名", "身份证号", "残疾类别", "残疾等级")]
        file = SimpleUploadedFile("持证残疾人名单.xlsx", xlsx.write([xlsx.WorksheetPlan("名单", columns, people)]))
        profile = ListProfile.objects.get(county=here.unit, code="disabled")
        version = list_versions.upload(file, profile=profile, as_of=as_of, by=clerk)
        list_versions.take(version, by=clerk)


def _disabled(row: dict[str, str], degree: str) -> list[str]:
    return [row["学生姓名"], row["身份证件号"], "肢体", degree]


def _import(here: _County, school: str, pupils: list[dict[str, str]]) -> None:
    officer = here.people[school]
    file = SimpleUploadedFile("名册.xlsx", workbook(pupils))
    checked = rosters.check_roster(file, unit=here.schools[school], term=here.term, by=officer)
    rosters.apply_roster(checked, by=officer)


def _open(here: _County, programme: str, closes_on: dt.date) -> Round:
    return rounds.open_round(
        programme=Programme.objects.get(code=programme),
        term=here.term,
        unit=here.unit,
        opens_on=clock.today(),
        closes_on=closes_on,
        by=here.people["jingban"],
    )


def _shares(here: _County) -> None:
    """Who bears the money of the two programmes that are paid here."""
    for code in ("preschool-aid", "living-aid"):
        share = FundShare(
            programme=Programme.objects.get(code=code),
            levels={"centre": "5/10", "province": "3/10", "county": "2/10"},
            remainder="county",
            document="云岭财教〔2026〕12号（演示文件）",
            document_date=dt.date(2026, 8, 25),
            first_term=_TERM,
        )
        funding.record_share(share, county=here.unit, by=here.people["jingban"])


def _finished_round(here: _County) -> None:
    round_ = _open(here, "preschool-aid", dt.date(2026, 9, 18))
    filed = _file(here, round_, "daban", "daban")
    officer, school = here.people["youer"], here.schools["youer"]
    clock.set_demo_day(dt.date(2026, 9, 9))
    _meet(filed, "class", here.classes["daban"], by=here.people["youer-nj"])
    clock.set_demo_day(dt.date(2026, 9, 10))
    _meet(filed, "school", school, by=officer)
    _decide(school_lists.CONFIRMATION, round_, school, here.people["youer-yz"])
    _through_notice(here, round_, "youer")
    workflow.advance_all(filed, Step.REPORT, by=officer)
    _decide(school_lists.VERIFICATION, round_, school, here.people["jingban"])
    clock.set_demo_day(dt.date(2026, 9, 23))
    _decide(school_lists.APPROVAL, round_, school, here.people["fuzeren"])
    rows = Application.objects.filter(round=round_, state=State.APPROVED)
    batch = payments.make_batch(
        round_,
        expected=len(rows),
        expected_total=sum((a.amount_due for a in rows), Decimal()),
        by=here.people["jingban"],
    )
    for sheet in batch.sheets.all():
        payout_sheets.produce(sheet.pk)
        clock.set_demo_day(dt.date(2026, 9, 28))
        _sign_and_pay(sheet, officer, here.people["jingban2"])


def _sign_and_pay(sheet: PayoutSheet, officer: User, clerk: User) -> None:
    sheet.refresh_from_db()
    scan = SimpleUploadedFile("签字表扫描件.pdf", issuing.read_pdf(sheet.document), "application/pdf")
    payments.upload_signed_copy(sheet, scan, by=officer)
    sheet.refresh_from_db()
    payments.record_payment(sheet, paid_on=clock.today(), voucher="云财支〔2026〕0913", by=clerk)


def _running_round(here: _County) -> None:
    """Each class of the junior school at another desk; what is before the county went on an earlier notice."""
    clock.set_demo_day(dt.date(2026, 9, 21))
    round_ = _open(here, "living-aid", dt.date(2026, 10, 30))
    officer, grade_head = here.people["chuzhong"], here.people["chuzhong-nj"]
    school = here.schools["chuzhong"]
    _quotas(here, round_)
    first = _file(here, round_, "ban82", "ban82")
    _meet(first, "class", here.classes["ban82"], by=grade_head)
    clock.set_demo_day(dt.date(2026, 9, 22))
    _meet(first, "school", school, by=officer)
    _decide(school_lists.CONFIRMATION, round_, school, here.people["chuzhong-xz"])
    notice = _through_notice(here, round_, "chuzhong", dispute=True)
    workflow.advance_all(_cleared(notice), Step.REPORT, by=officer)
    second = _file(here, round_, "ban81", "ban81")
    _meet(second, "class", here.classes["ban81"], by=grade_head)
    clock.set_demo_day(dt.date(2026, 10, 9))
    _meet(second[:2], "school", school, by=officer)  # who waits for the principal
    _file(here, round_, "ban72", "ban72")
    _file(here, round_, "er81", "er81")
    _slips(here, round_, "ban71")
    _slips(here, round_, "ban72")
    for teacher in ("ban71", "ban82"):
        rows = [
            each.enrolment
            for each in applications.candidates(round_, here.classes[teacher])
            if each.facts["categories"]
        ]
        demo_forms.fill_in(rows[:4], by=here.people[teacher], signed=1)


def _slips(here: _County, round_: Round, name: str) -> None:
    """Guardians' answers that came back on paper: most of those who may be filed for, and one who wants no aid."""
    unit = here.classes[name]
    listed = applications.candidates(round_, unit)
    wanting = [c.enrolment for c in listed if c.application or c.may_file][:-2]
    answers = [(place, Receipt.Answer.APPLIES) for place in wanting]
    answers += [(c.enrolment, Receipt.Answer.DECLINES) for c in listed if not c.application and c.may_file][-1:]
    receipts.record_all(round_, unit, answers, signed_on=clock.today(), by=here.people[name])


def _changes(here: _County) -> None:
    """Somebody away, somebody gone whose money was on its way, and a class that has been looked through."""
    away = _some_pupil(here, "ban81", applications__isnull=True)
    _record(away, Kind.SUSPEND, "生病住院，已交休学申请", on=clock.today(), by=here.people["chuzhong"])
    gone = _some_pupil(here, "daban", applications__state=State.PAID)
    _record(gone, Kind.WITHDRAW, "随父母外出务工", on=dt.date(2026, 9, 25), by=here.people["youer"])
    rows = confirmations.checklist(here.classes["ban82"], here.term)
    seen = [confirmations.Seen(rows[-1].place, Kind.TRANSFER_OUT, "国庆后随父母去了外省")]
    confirmations.confirm(
        here.classes["ban82"], here.term, seen=confirmations.digest(rows), reports=seen, by=here.people["ban82"]
    )


def _some_pupil(here: _County, school_class: str, **which: object) -> Pupil:
    pupils = Pupil.objects.filter(enrolments__school_class=here.classes[school_class], **which)
    return pupils.order_by("name", "pk")[0]


def _record(pupil: Pupil, kind: Kind, reason: str, *, on: dt.date, by: User) -> None:
    request = Request(kind, pupil, on, reason)
    changes.record(request, by=by, seen=changes.plan(request, by=by).digest)


def _quotas(here: _County, round_: Round) -> None:
    """Places from above, by percentage to one school and as a number to another, and on to the classes."""
    clerk, programme, term = here.people["jingban"], round_.programme, round_.term
    document = "云岭教助〔2026〕15号（演示文件）"
    tekun = Category.objects.get(code="tekun")
    quotas.add_outside(programme, tekun, first_term=_TERM, source="应助尽助（演示文件）", county=here.unit, by=clerk)
    quotas.receive(quotas.Wish(here.unit, 60), programme=programme, term=term, document=document, by=clerk)
    grant = QuotaPercentage(
        programme=Programme.objects.get(code="senior-grant"),
        percent=Decimal(20),
        rounding="down",
        document=document,
        first_term=_TERM,
    )
    percentages.record(grant, county=here.unit, by=clerk)
    shares = [
        quotas.Wish(here.schools["chuzhong"], percent=Decimal(40), rounding="down"),
        quotas.Wish(here.schools["erzhong"], 5),
    ]
    quotas.allot(here.unit, shares, programme=programme, term=term, document=document, by=clerk)
    classes = [quotas.Wish(here.classes[name], number) for name, number in (("ban71", 9), ("ban72", 9), ("ban82", 9))]
    officer = here.people["chuzhong"]
    held = "9月21日学校评审小组会议"
    quotas.pass_on(here.schools["chuzhong"], classes, programme=programme, term=term, document=held, by=officer)


def _file(here: _County, round_: Round, school_class: str, teacher: str) -> list[Application]:
    """The teacher files for everybody of the class who is entitled."""
    unit, by = here.classes[school_class], here.people[teacher]
    reasons = itertools.cycle(("父亲患病，家庭收入低", "家中两人上学，开支较大", "父母务农，收入不稳定"))
    wishes = [
        applications.Wish(c.enrolment, reason=next(reasons))
        for c in applications.candidates(round_, unit)
        if c.may_file
    ]
    applications.file(round_, unit, wishes, by=by)
    return list(Application.objects.filter(round=round_, school_class=unit))


_MEMBERS = (
    ("周明", "分管校长", "leader"), ("吴桂芳", "年级组长", "teacher"), ("郑海涛", "任课教师", "teacher"),
    ("冯雪", "任课教师", "teacher"), ("蒋丽", "任课教师", "teacher"), ("沈国强", "家长代表", "parent"),
    ("韩玉梅", "家长代表", "parent"), ("杨天明", "村委会代表", "village"), ("朱敏", "教师代表", "teacher"),
    ("秦勇", "教师代表", "teacher"),
)  # fmt: skip


def _meet(filed: Iterable[Application], level: str, unit: Unit, *, by: User) -> Meeting:
    rows = list(
        Application.objects.filter(pk__in=[a.pk for a in filed]).select_related(
            "school_class", "round__programme", "round__term"
        )
    )
    # Parents of pupils of the class who did not apply.
    children = iter(review_groups.who_may_sit(rows[0].round, unit) if unit.level == Unit.Level.CLASS else ())
    members = [
        reviews.Member(name, capacity, kind=kind, child=next(children, "") if kind == "parent" else "")
        for name, capacity, kind in _MEMBERS
    ]
    minutes = reviews.Minutes(
        held_on=clock.today(),
        place="学校会议室",
        chair=_MEMBERS[0][0],
        members=members,
        text="学习资助政策和评议办法，逐一评议申请情况，无记名表决，结果当场宣布。",
    )
    if level == Meeting.Level.SCHOOL:  # each held against the evidence before the committee hears it
        looked = [officer_checks.Found(each, OfficerCheck.Finding.IN_ORDER) for each in rows]
        officer_checks.record(rows[0].round, unit, looked, by=by)
    verdicts = [reviews.Verdict(a, Decision.Verdict.AGREE, votes_for=len(_MEMBERS), votes_against=0) for a in rows]
    return reviews.hold(round_=rows[0].round, unit=unit, level=level, minutes=minutes, verdicts=verdicts, by=by)


def _through_notice(here: _County, round_: Round, school: str, *, dispute: bool = False) -> Notice:
    officer, unit = here.people[school], here.schools[school]
    notice = notices.publish(round_, unit, notices.propose(round_, unit), by=officer)
    if dispute:
        line = notice.lines.first()
        clock.set_demo_day(dt.date.fromisoformat(notice.counted_days[1]))
        assert line is not None
        objections.receive(
            line, received_on=clock.today(), channel="来电", content="反映该生家庭近期购置了车辆，请核实。", by=officer
        )
    clock.set_demo_day(working_calendar.working_days().next_from(notice.ends_on + dt.timedelta(days=1)))
    notices.close(notice, by=officer)
    return notice


def _cleared(notice: Notice) -> list[Application]:
    return list(Application.objects.filter(notice_lines__notice=notice, state=State.CLEARED))


def _decide(desk: school_lists.Desk, round_: Round, school: Unit, by: User) -> None:
    rows = school_lists.awaiting(round_, school, desk.awaiting)
    school_lists.decide(desk, round_, school, [reviews.Verdict(a, Decision.Verdict.AGREE) for a in rows], by=by)


def sample_roster() -> bytes:
    """The file a visitor uploads for the primary school: good rows, and one of each usual fault."""
    plans = [ClassPlan("三年级", "三年级1班", 20, 2017), ClassPlan("三年级", "三年级2班", 20, 2017)]
    sample: list[dict[str, xlsx.Content]] = [dict(row) for row in rows(plans, first_serial=301)]
    _spoil(sample)
    return office_workbook(sample, school="云岭县城关小学")


def _spoil(sample: list[dict[str, xlsx.Content]]) -> None:
    """What goes wrong in every office. Some of it the import puts right by itself, some a person has to."""

    def number(place: int) -> str:
        return str(sample[place]["身份证件号"])

    # Read as they are meant:
    sample[1]["身份证件号"] = number(1).translate({code: code + 0xFEE0 for code in range(ord("0"), ord("9") + 1)})
    sample[2]["身份证件号"] = f"G{number(2)}"
    sample[4]["出生日期"] = dt.date.fromisoformat(str(sample[4]["出生日期"]))
    sample[6]["出生日期"] = str(sample[6]["出生日期"]).replace("-", "")
    sample[9]["身份证件号"] = f" {number(9)[:6]} {number(9)[6:].lower()} "
    # To be put right:
    sample[3]["身份证件号"] = number(3)[:17] + ("1" if number(3)[17] != "1" else "2")
    sample[7]["班级"] = ""
    sample[12]["身份证件号"] = int(number(12).replace("X", "0"))  # a number cell: its last digits are gone
    sample[15]["户名"] = ""
    # To be looked at: two children of one name in one class, one account for children of two guardians.
    sample[17]["学生姓名"] = sample[16]["学生姓名"]
    sample[22]["银行账号"] = sample[21]["银行账号"]
    sample.append(dict(sample[5]))
