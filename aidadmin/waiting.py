"""What waits for a person: how many, since when, until when, and the page on which it is done.

The first page shows the most pressing, `waiting/` all of it; the daily mail counts it, and a hand-over prints it.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.urls import reverse
from django.utils import timezone

from accounts import appointments, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date, yuan
from publicity.models import Notice, Objection
from students import changes, confirmations, list_versions, rosters, terms
from students import rollovers as register_rollovers
from students.models import CalendarYear, ListVersion, Recheck, RosterImport, Standing
from students.term_keys import is_autumn, term_name
from subsidies import deadlines, four_eyes, lateness, places, quota_words, recognition_rechecks, rounds, school_lists
from subsidies.deadline_plans import countdown
from subsidies.models import Application, Concern, DutyHolder, FollowUp, PayoutSheet, Quota, Round
from subsidies.states import TURN, WORK, Duty, State

P = Permission
# Named one by one; the desk of rosters, and that of batches, has them all.
MOST_ROSTERS = 10
MOST_SHEETS = 10


@dataclass(frozen=True)
class Waiting:
    """One thing to do: how many, what, where, and the page on which it is done."""

    count: int
    unit: str  # 份, 人, 张
    title: str
    detail: str
    url: str
    is_urgent: bool = False
    due_on: dt.date | None = None
    since: dt.date | None = None  # the oldest of them came that day
    may_name: bool = False  # the detail may name a pupil: not for a paper or somebody else's eyes

    @property
    def age(self) -> str:
        """等了 6 天, 今天到的; "" where nobody keeps since when. Days of the calendar."""
        if self.since is None:
            return ""
        days = (clock.today() - self.since).days
        return f"等了 {days} 天" if days > 0 else "今天到的"

    @property
    def countdown(self) -> str:
        """逾期 3 天, 今天到期, 还有 5 天; "" without a last day."""
        return countdown(self.due_on, clock.today())

    @property
    def is_late(self) -> bool:
        return self.due_on is not None and self.due_on < clock.today()


def waiting_for(user: User) -> list[Waiting]:
    """Everything that waits for the person: what is late longest first, then what is urgent, then by its last day."""
    return sorted(_gathered(user), key=lambda each: (not each.is_late, not each.is_urgent, each.due_on or dt.date.max))


def _gathered(user: User) -> Iterator[Waiting]:
    yield from _posts(user)
    yield from _rosters(user)
    yield from _rollovers(user)
    yield from _filing(user)
    yield from _unfiled(user)
    yield from _by_round(user)
    yield from _over_quota(user)
    yield from _notices(user)
    yield from _recognitions(user)
    yield from _concerns(user)
    yield from _changes(user)
    yield from _lists(user)
    yield from _sheets(user)
    yield from _calendar(user)


def _cases(user: User, permission: P, state: State) -> QuerySet[Application]:
    """Applications in the state over which the person holds the permission, not counting those on which
    they already hold another duty (these wait for somebody else)."""
    assert TURN[state] == permission
    duty = {State.SUBMITTED: Duty.CLASS_REVIEW, State.CLASS_REVIEWED: Duty.SCHOOL_REVIEW}.get(state)
    duty = duty or {desk.awaiting: desk.duty for desk in school_lists.DESKS}.get(state)
    rows = scopes.within(Application.objects.filter(state=state), user, permission, unit="school_class")
    return four_eyes.open_to(rows, duty, by=user) if duty else rows


def _posts(user: User) -> Iterator[Waiting]:
    """Classes of a school's roster nobody teaches: nobody could file for their pupils."""
    if not scopes.reach(user, P.MANAGE_ACCOUNTS):
        return
    classes = scopes.within(Unit.objects.filter(level="class", is_active=True), user, P.MANAGE_ACCOUNTS, unit="")
    untaught = classes.exclude(pk__in=appointments.units_with("class_teacher", on=clock.today()))
    names = [f"{school} {name}" for school, name in untaught.values_list("parent__name", "name")]
    if names:
        detail = "、".join(names[:5]) + (f"等 {len(names)} 个班" if len(names) > 5 else "") + "，登记班主任后才能填报"
        yield Waiting(len(names), "个", "班级没有班主任", detail, reverse("people"))


def _rosters(user: User) -> Iterator[Waiting]:
    for row in rosters.waiting_for(user).select_related("unit", "term")[:MOST_ROSTERS]:
        detail, url, since = f"{row.unit} · {row.term}", reverse("roster_import", args=[row.pk]), _day(row.checked_at)
        if row.state == RosterImport.State.NEEDS_MAPPING:
            yield Waiting(1, "份", "名册有列名待确认", f"{detail}，确认后才能预检", url, since=since)
        else:
            detail += f"，预检发现 {row.rows_refused} 行有误"
            yield Waiting(row.rows_total, "行", "名册待确认导入", detail, url, since=since)


# How many, and when the oldest of them came.
_Counted = tuple[int, dt.datetime | None]


def _day(moment: dt.datetime | None) -> dt.date | None:
    return timezone.localdate(moment) if moment else None


# How long before a term's first day a school is reminded of its roll-over, and the county of a term to register.
_TERM_NEAR = dt.timedelta(days=30)


def _rollovers(user: User) -> Iterator[Waiting]:
    """Schools not yet taken into the term that begins soon or has begun; for the county, a term nobody registered."""
    if not scopes.reach(user, P.ROLL_OVER):
        return
    schools = Unit.objects.filter(level=Unit.Level.SCHOOL, is_active=True).order_by("path")
    turns = register_rollovers.turns(scopes.within(schools, user, P.ROLL_OVER, unit=""), how_many=False)
    near = clock.today() + _TERM_NEAR
    due = [turn for turn in turns if turn.is_due and turn.target and turn.target.starts_on <= near]
    for target in {turn.target for turn in due if turn.target}:
        here = [turn for turn in due if turn.target == target]
        begun = target.starts_on <= clock.today()
        names = "、".join(str(turn.school) for turn in here[:3]) + (f"等 {len(here)} 所学校" if len(here) > 3 else "")
        detail = f"{names} · {target}{cn_date(target.starts_on)}{'已经开学' if begun else '开学'}"
        url = reverse("rollovers") if len(turns) > 1 else reverse("rollover_plan", args=[here[0].school.pk])
        yield Waiting(len(here), "所", "学校待学期结转", detail, url, is_urgent=begun)
    if turns and turns[0].target is None and turns[0].source.ends_on <= near and scopes.reach(user, P.EDIT_CALENDAR):
        detail = "登记起止日期后，各校才能办理学期结转"
        yield Waiting(1, "个", f"{term_name(turns[0].target_key)}待登记", detail, reverse("term_add"))


def _filing(user: User) -> Iterator[Waiting]:
    """Per class of the teacher: returned ones first, then drafts, then an open round nobody filed in."""
    if not scopes.reach(user, P.FILE_APPLICATION):
        return
    today = clock.today()
    classes = scopes.within(Unit.objects.filter(level="class"), user, P.FILE_APPLICATION, unit="")
    classes = classes.select_related("parent", "school_class")
    rows = Application.objects.filter(school_class__in=classes).values("round", "school_class", "state")
    counted = {
        (r["round"], r["school_class"], r["state"]): (r["n"], r["since"])
        for r in rows.annotate(n=Count("*"), since=Min("changed_at"))
    }
    counted |= dict.fromkeys((key for key in counted if key[2] == State.RETURNED), (0, None)) | _returned_to(classes)
    for round_ in rounds.visible_to(user, P.FILE_APPLICATION) if classes else ():
        is_open = round_.opens_on <= today <= round_.closes_on
        for unit in classes:
            by_state = {state: n for (r, c, state), n in counted.items() if (r, c) == (round_.pk, unit.pk)}
            is_for_class = unit.school_class.stage in round_.programme.stages and round_.unit.contains(unit)
            if not by_state and not is_for_class:
                continue
            url = reverse("class_file", args=[round_.pk, unit.pk])
            yield from _class_work(round_, unit, by_state, url, is_open=is_open)


def _unfiled(user: User) -> Iterator[Waiting]:
    """Classes that let the days of filing go by: for their teacher, their school, and who can give them more days."""
    if not scopes.reach(user, P.OPEN_ROUND, P.FILE_APPLICATION):
        return
    running = {round_.pk: round_ for round_ in rounds.visible_to(user, P.VIEW_CASES)}
    by_round: dict[Round, list[lateness.Late]] = {}
    for late in lateness.unfiled(running.values(), deadlines.of_rounds(running.values()), user):
        by_round.setdefault(late.round, []).append(late)
    for round_, found in by_round.items():
        told = [f"{late.unit.parent} {late.unit.name}" for late in lateness.named(found[:3]) if late.unit]
        names = "、".join(told) + (f"等 {len(found)} 个班" if len(found) > len(told) else "")
        may_extend = scopes.allows(user, P.OPEN_ROUND, round_.unit)
        how = "请在批次页延长填报时间" if may_extend else "请联系开启批次的人员延长填报时间"
        detail = f"{names} · {round_}，可以申请 {sum(late.missed for late in found)} 人；要填报的，{how}"
        first = found[0]
        url = reverse("late_work")
        yield Waiting(len(found), "个", "填报截止，班级没有填报", detail, url, due_on=first.due_on, since=first.since)


def _returned_to(classes: QuerySet[Unit]) -> dict[tuple[Any, int, str], _Counted]:
    """Returned cases by round and by the class that can go on with them: where the pupil is now.

    What waits for a suspended pupil to come back is no work for today.
    """
    rows = Application.objects.filter(
        state=State.RETURNED,
        pupil__enrolments__school_class__in=classes,
        pupil__enrolments__term=F("term"),
        pupil__enrolments__standing=Standing.PRESENT,
    )
    where = "pupil__enrolments__school_class"
    found = rows.order_by().values("round", where).annotate(n=Count("*"), since=Min("changed_at"))
    return {(row["round"], row[where], State.RETURNED): (row["n"], row["since"]) for row in found}


def _class_work(round_: Round, unit: Unit, by_state: dict, url: str, *, is_open: bool) -> Iterator[Waiting]:
    where = f"{unit} · {round_}"
    until = round_.closes_on
    returned, back = by_state.get(State.RETURNED, (0, None))
    if returned:
        title, since = "申请被退回，请补正后重新提交", _day(back)
        yield Waiting(returned, "份", title, where, url, is_urgent=True, due_on=until, since=since)
    drafts, begun = by_state.get(State.DRAFT, (0, None))
    # Those of a term that is over will never be handed in: nobody is pressed for them (as in `lateness`).
    if drafts and round_.term.ends_on >= clock.today():
        late = "" if until >= clock.today() else "，填报已截止；还要提交的，请联系开启批次的人员延长"
        yield Waiting(drafts, "份", "草稿还没有提交", where + late, url, due_on=until, since=_day(begun))
    if is_open and not by_state:
        yield Waiting(0, "份", "本班还没有填报", where, url, due_on=until, since=round_.opens_on)


def _by_round(user: User) -> Iterator[Waiting]:
    """What waits at the desks of the rounds, by class, school or round; what is late longest comes first."""
    found = [*_by_class(user), *_by_school(user), *_batches(user)]
    due = deadlines.of_keys({key for key, _, _ in found})
    dated = [
        replace(waiting, due_on=due[key].get(work) if (work := WORK[state]) else None) for key, state, waiting in found
    ]
    yield from sorted(
        dated, key=lambda waiting: (not waiting.is_late, waiting.due_on if waiting.is_late else dt.date.max)
    )


# A thing to do, with the round and the state its deadline goes by.
_Dated = tuple[UUID, State, Waiting]


def _by_class(user: User) -> Iterator[_Dated]:
    for group in _grouped(user, P.HOLD_CLASS_REVIEW, State.SUBMITTED, "school_class"):
        # A class by its name in the application's own term.
        unit = f"{group['school_class__parent__name']} {group['enrolment__class_name']}"
        url = reverse("class_review", args=[group["round"], group["school_class"]])
        waiting = _of_group(group, "份", "待班级评议", f"{unit} · {_round_name(group)}", url)
        yield group["round"], State.SUBMITTED, waiting


_SCHOOL_DESKS = (
    (P.HOLD_SCHOOL_REVIEW, State.CLASS_REVIEWED, "待学校评审", "school_review"),
    (P.CONFIRM_LIST, State.SCHOOL_REVIEWED, "待校长确认", "school_confirm"),
    (P.REPORT_TO_COUNTY, State.CLEARED, "公示无异议，待上报", "school_report"),
    (P.VERIFY, State.REPORTED, "待县级审核", "school_verify"),
    (P.APPROVE, State.VERIFIED, "待县级审批", "school_approve"),
)


def _by_school(user: User) -> Iterator[_Dated]:
    for permission, state, title, page in _SCHOOL_DESKS:
        for group in _grouped(user, permission, state, "school"):
            url = reverse(page, args=[group["round"], group["school"]])
            waiting = _of_group(group, "人", title, f"{group['school__name']} · {_round_name(group)}", url)
            yield group["round"], state, waiting
    for group in _grouped(user, P.PUBLISH_NOTICE, State.CONFIRMED, "school"):
        query = urlencode({"round": group["round"], "school": group["school"]})
        detail = f"{group['school__name']} · {_round_name(group)}"
        waiting = _of_group(group, "人", "待发布公示", detail, f"{reverse('notice_new')}?{query}")
        yield group["round"], State.CONFIRMED, waiting
    for group in _grouped(user, P.PUBLISH_CLASS_NOTICE, State.CLASS_PASSED, "school_class"):
        query = urlencode({"round": group["round"], "class": group["school_class"]})
        unit = f"{group['school_class__parent__name']} {group['enrolment__class_name']}"
        url = f"{reverse('notice_new')}?{query}"
        waiting = _of_group(group, "人", "待发布班级公示", f"{unit} · {_round_name(group)}", url)
        yield group["round"], State.CLASS_PASSED, waiting


def _over_quota(user: User) -> Iterator[Waiting]:
    """Schools that use more places than they have: until that is settled they report nobody more who uses one."""
    if not scopes.reach(user, P.DIVIDE_QUOTAS) or (term := terms.current()) is None:
        return
    schools = list(scopes.within(Unit.objects.filter(level=Unit.Level.SCHOOL), user, P.DIVIDE_QUOTAS, unit=""))
    limited = Quota.objects.filter(term=term).exclude(places=None).order_by().values("programme")
    for round_ in rounds.visible_to(user, P.DIVIDE_QUOTAS).filter(term=term, programme__in=limited):
        found = places.overs_in(round_.programme, term, schools)
        for school in (school for school in schools if school.pk in found):
            overs = found[school.pk]
            detail = f"{school} · {round_}：{quota_words.over_where(overs)}；处理以前不能上报"
            url = reverse("quota_over", args=[round_.pk, school.pk])
            yield Waiting(quota_words.over_count(overs), "人", "超出名额，待处理", detail, url, is_urgent=True)


_GROUPS = {
    "school": ("school", "school__name"),
    "school_class": ("school_class", "school_class__parent__name", "enrolment__class_name"),
}


def _grouped(user: User, permission: P, state: State, unit: str) -> list[dict[str, Any]]:
    """How many cases of each round and unit wait for the person, in the order of the units."""
    if not scopes.reach(user, permission):
        return []
    named = ("round", "round__programme__name", "round__term__name", f"{unit}__path", *_GROUPS[unit])
    counted = _cases(user, permission, state).order_by().values(*named).annotate(n=Count("*"), since=Min("changed_at"))
    return sorted(counted, key=lambda group: group[f"{unit}__path"])


def _of_group(group: Mapping[str, Any], unit: str, title: str, detail: str, url: str) -> Waiting:
    return Waiting(group["n"], unit, title, detail, url, since=timezone.localdate(group["since"]))


def _round_name(group: dict[str, Any]) -> str:
    return f"{group['round__term__name']} {group['round__programme__name']}"


def _notices(user: User) -> Iterator[Waiting]:
    today = clock.today()
    running = Notice.objects.filter(state=Notice.State.RUNNING, ends_on__lt=today)
    of_schools = running.filter(level=Notice.Level.SCHOOL).select_related("school")
    of_classes = running.filter(level=Notice.Level.CLASS).select_related("school")
    for notice in (
        *scopes.within(of_schools, user, P.PUBLISH_NOTICE, unit="school"),
        *scopes.within(of_classes, user, P.PUBLISH_CLASS_NOTICE, unit="school_class"),
    ):
        url = reverse("notice", args=[notice.pk])
        yield Waiting(1, "份", "公示期满，请结束公示并撤下", notice.title, url, is_urgent=True, since=notice.ends_on)
    objections = Objection.objects.filter(state=Objection.State.OPEN).select_related("line__notice")
    for objection in scopes.within(objections, user, P.PUBLISH_NOTICE, unit="line__notice__school"):
        url = reverse("objection_settle", args=[objection.pk])
        detail = f"{cn_date(objection.received_on)}收到 · {objection.line.notice.title}"
        yield Waiting(1, "件", "异议待核查", detail, url, is_urgent=True, since=objection.received_on)


def _changes(user: User) -> Iterator[Waiting]:
    """The first month's confirmation: the teacher's own class, the officer's classes, the county's schools."""
    term, today = terms.current(), clock.today()
    classes = Unit.objects.filter(level="class", is_active=True)
    mine = scopes.within(classes, user, P.EDIT_PUPILS, P.RECORD_CHANGES, unit="")
    if term is None or not (first := mine.first()):
        return
    until = confirmations.deadline(confirmations.county_of(first), term)
    open_, when = confirmations.outstanding(mine, term), f"{term}，{cn_date(until)}前确认"
    for unit in open_.exclude(pk__in=scopes.within(classes, user, P.RECORD_CHANGES, unit="").values("pk")):
        url = reverse("class_changes", args=[unit.pk])
        yield Waiting(1, "个", "本班异动待确认", f"{unit} · {when}", url, is_urgent=today > until)
    page = reverse("change_confirmations")
    above = scopes.within(open_, user, P.RECORD_CHANGES, unit="").order_by()
    by_school = list(above.values_list("parent__name").annotate(n=Count("*")))
    if by_school:
        where = f"{len(by_school)} 所学校 · " if len(by_school) > 1 else f"{by_school[0][0]} · "
        count = sum(n for _, n in by_school)
        yield Waiting(count, "个", "班级还没有确认异动", where + when, page, is_urgent=today > until)
    if coming := changes.arriving(user).count():
        detail = "原学校已办理转出；核对姓名和证件号后接收"
        yield Waiting(coming, "人", "转来的学生待接收", detail, reverse("transfer_in"))
    if reports := confirmations.reports_for(user).count():
        yield Waiting(reports, "人", "班主任反映有异动，待登记", "核实后在学生页办理", page)
    follow_ups = FollowUp.objects.filter(settled_at__isnull=True)
    follow_ups = scopes.within(follow_ups, user, P.RECORD_PAYMENT, unit="effect__application__school")
    if count := follow_ups.count():
        yield Waiting(count, "件", "异动的发放影响待处理", "已编入批次或已发放的款项", reverse("follow_ups"))


def _recognitions(user: User) -> Iterator[Waiting]:
    """In a spring term, by school: those recognised before it whom nobody has looked at again."""
    term = terms.current()
    if term is None or is_autumn(term.key) or not scopes.reach(user, P.HOLD_SCHOOL_REVIEW):
        return
    left = recognition_rechecks.left_to_recheck(user, term).order_by("school__path")
    for school, name, count in left.values_list("school", "school__name").annotate(n=Count("*")):
        detail = f"{name} · {term}，逐人核对家庭情况有没有变化"
        url = reverse("recognition_rechecks", args=[school])
        yield Waiting(count, "人", "困难认定待春季复核", detail, url, since=term.starts_on)


def _concerns(user: User) -> Iterator[Waiting]:
    """What the last screening left to the person's own unit: a school's to the school, the county's to the county."""
    term = terms.current()
    rows = Concern.objects.filter(
        owner__path__in=scopes.reach(user, P.SETTLE_CONCERNS), term=term, state=Concern.State.OPEN
    )
    counted = rows.order_by("kind").values("kind", "owner", "owner__name")
    for row in counted.annotate(n=Count("*"), since=Min("found_at")):
        kind = Concern.Kind(row["kind"])
        query = urlencode({"kind": kind.value, "school": row["owner"]})
        detail = f"{row['owner__name']} · {term}，逐件核实并写明处理结果"
        url, since = f"{reverse('concerns')}?{query}", _day(row["since"])
        yield Waiting(row["n"], "件", f"清查：{kind.label}", detail, url, since=since)


def _batches(user: User) -> Iterator[_Dated]:
    rows = _cases(user, P.MAKE_BATCH, State.APPROVED).order_by("round")
    for group in rows.values("round", "round__programme__name", "round__term__name").annotate(
        n=Count("*"), total=Sum("amount"), since=Min("changed_at")
    ):
        detail = f"{group['round__term__name']} {group['round__programme__name']}，合计 {yuan(group['total'])} 元"
        waiting = _of_group(group, "人", "待编制发放批次", detail, reverse("batch_make", args=[group["round"]]))
        yield group["round"], State.APPROVED, waiting


def _sheets(user: User) -> Iterator[Waiting]:
    states = PayoutSheet.State
    rows = PayoutSheet.objects.select_related("school", "batch", "document")
    ready = scopes.within(rows.filter(state=states.READY), user, P.UPLOAD_SIGNED_SHEET, unit="school")
    signed = scopes.within(rows.filter(state=states.SIGNED), user, P.RECORD_PAYMENT, unit="school")
    failed = scopes.within(rows.filter(state=states.FAILED), user, P.MAKE_BATCH, unit="school")
    for found, title, page in (
        (ready, "花名册待签字上传", "sheet_sign"),
        (signed.exclude(_handled(user)), "待登记发放", "sheet_pay"),
    ):
        named = list(found[:MOST_SHEETS])
        for sheet in named:
            detail = f"{sheet.school} · {sheet.batch.number} · {sheet.document.number}"
            since = _day(sheet.signed_at or sheet.document.issued_at)
            yield Waiting(1, "张", title, detail, reverse(page, args=[sheet.pk]), since=since)
        if len(named) == MOST_SHEETS and (more := found[MOST_SHEETS:].count()):
            yield Waiting(more, "张", f"另有{title}", "在发放批次里逐张办理", reverse("batches"))
    for sheet in failed[:MOST_SHEETS]:
        url = reverse("batch", args=[sheet.batch_id])
        yield Waiting(1, "张", "花名册生成失败", f"{sheet.school}：{sheet.failure}", url, is_urgent=True, may_name=True)


def _handled(user: User) -> Q:
    """Sheets with a hand of the person in them, or of somebody they act for, or made in the name of one of these:
    others record that they were paid."""
    people = [user.pk, *(post.acts_for_id for post in scopes.acting(user, P.RECORD_PAYMENT))]
    decided = DutyHolder.objects.filter(by__in=people).values("application__lines__sheet")
    made = Q(made_by__in=people) | Q(made_for__in=people)
    return made | Q(pk__in=decided.filter(application__lines__isnull=False))


def _calendar(user: User) -> Iterator[Waiting]:
    """From November on, next year's holidays are announced; a notice over the year's end needs them."""
    today = clock.today()
    coming = (today + dt.timedelta(days=60)).year
    if scopes.reach(user, P.EDIT_CALENDAR) and not CalendarYear.objects.filter(year=coming).exists():
        detail = "国务院办公厅公布后请录入；没有录入的年份不能计算公示期"
        yield Waiting(1, "年", f"{coming} 年放假安排待录入", detail, reverse("calendar"))


def _lists(user: User) -> Iterator[Waiting]:
    """Lists read and not yet taken, for the county; what they changed and whom they may mean, for the school."""
    states = ListVersion.State
    rows = ListVersion.objects.filter(state__in=(states.READ, states.FAILED)).select_related("profile")
    for version in scopes.within(rows.defer("findings"), user, P.COMPARE_LISTS, unit="profile__county")[:MOST_ROSTERS]:
        url, detail = reverse("list_version", args=[version.pk]), f"{version.profile}，{cn_date(version.as_of)}"
        if version.state == states.FAILED:
            yield Waiting(1, "份", "比对名单没有读成", f"{detail}：{version.failure}", url, may_name=True)
        else:
            yield Waiting(version.persons_total, "人", "比对名单待确认采用", detail, url, since=_day(version.read_at))
    tasks = scopes.within(Recheck.objects.filter(state=Recheck.State.OPEN), user, P.SETTLE_CONCERNS, unit="school")
    held = tasks.aggregate(n=Count("*"), since=Min("opened_at"))
    if held["n"]:
        detail = "部门名单上有新进、退出或变化的学生，核实后写明结果"
        yield Waiting(held["n"], "项", "名单变化待复核", detail, reverse("rechecks"), since=_day(held["since"]))
    if alike := list_versions.proposals_for(user).count():
        detail = "名单上的人与学生姓名、出生日期相同，请决定是不是同一人"
        yield Waiting(alike, "人", "名单上的人待核对身份", detail, reverse("list_proposals"))
