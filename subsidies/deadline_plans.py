"""The deadlines of a round: how they are proposed, what is wrong with a plan, and where the work stands. Pure.

A plan is {work: last day}. Filing always has one, other work may have none: where the money comes late nobody knows a
day, and an invented one would be worse than none (domain: “no fake deadlines”).
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accounts.templatetags.aid import cn_date
from students.term_keys import is_autumn
from students.working_days import CalendarMissing, WorkingDays

from .states import WORK, State, Work

Plan = dict[Work, dt.date]

_ORDER = tuple(Work)
_LONGEST = dt.timedelta(days=400)  # from the opening; later is a year typed wrongly
_DAY_WORDS = {True: "工作日", False: "自然日"}


@dataclass(frozen=True)
class Rule:
    """How the last day of a work is found: so many days after the work before, or a fixed day of the term's year."""

    work: Work
    source: str
    count: int = 0  # days after the work before; 0: a fixed day
    working: bool = True
    autumn: str = ""  # 10-31
    spring: str = ""
    is_binding: bool = False  # a document's: no plan may be later

    @property
    def words(self) -> str:
        """填报截止后 5 个工作日; 秋季学期 12月31日、春季学期 6月30日."""
        if self.count:
            place = _ORDER.index(self.work)
            begins = f"{_ORDER[place - 1].label}截止" if place else "填报开始"
            return f"{begins}后 {self.count} 个{_DAY_WORDS[self.working]}"
        return f"秋季学期 {_month_day(self.autumn)}、春季学期 {_month_day(self.spring)}"

    def fixed(self, term: str) -> dt.date:
        """The fixed day in the term: autumn begins in July of the first year, all of spring lies in the second."""
        first, second, _ = term.split("-")
        text = self.autumn if is_autumn(term) else self.spring
        year = first if is_autumn(term) and text >= "07-01" else second
        return dt.date.fromisoformat(f"{year}-{text}")


@dataclass(frozen=True)
class NoticeLength:
    """How long a list hangs, by the programme's rule of procedure."""

    count: int
    working: bool

    @property
    def words(self) -> str:
        return f"{self.count} 个{_DAY_WORDS[self.working]}"


@dataclass(frozen=True)
class Proposal:
    """What the rules give, and sentences about what they could not give or had to move."""

    due: Plan
    notes: list[str]


def propose(
    rules: Mapping[Work, Rule],
    *,
    term: str,
    opens_on: dt.date,
    closes_on: dt.date | None,
    notice: NoticeLength,
    days: WorkingDays,
    in_class: NoticeLength | None = None,
) -> Proposal:
    """The plan that follows from the rules. `closes_on`, where given, goes before the rule of filing.

    The plan is in order and leaves the notice (and that `in_class`, where there is one) its days; where a year's
    calendar is missing the work gets no date, and a note says so.
    """
    due: Plan = {}
    notes: list[str] = []
    before = opens_on
    for place, work in enumerate(_ORDER):
        if work == Work.FILING and closes_on is not None:
            before = due[work] = closes_on
        elif rule := rules.get(work):
            try:
                wanted = days.after(before, rule.count, working=rule.working)[-1] if rule.count else rule.fixed(term)
                hangs = notice if work == Work.REPORT else in_class if work == Work.SCHOOL_REVIEW else None
                earliest = _first_after(before, hangs, days) if hangs else before
            except CalendarMissing as missing:
                # Nor anything after it: a fixed day might lie before the day that nobody can reckon.
                named = "、".join(each.label for each in _ORDER[place:] if each in rules)
                notes.append(f"{missing.messages[0]}{named}的期限没有推算，也可以自行填写。")
                break
            if wanted < earliest:
                moved = f"{work.label}按规定是{cn_date(wanted)}，前面的环节来不及，改为{cn_date(earliest)}。"
                notes.append(moved + ("请核对，或提前前面的期限。" if rule.is_binding else ""))
            before = due[work] = max(wanted, earliest)
    return Proposal(due, notes)


def _first_after(published: dt.date, notice: NoticeLength, days: WorkingDays) -> dt.date:
    """The first working day on which a list published on the last day of the work before may go on."""
    last = days.after(published, notice.count, working=notice.working)[-1]
    return days.next_from(last + dt.timedelta(days=1))


def faults(
    due: Plan,
    rules: Mapping[Work, Rule],
    *,
    term: str,
    opens_on: dt.date,
    notice: NoticeLength,
    days: WorkingDays,
    in_class: NoticeLength | None = None,
) -> dict[Work, str]:
    """Why the plan cannot be saved, by the work whose day is to be put right: one sentence each."""
    found: dict[Work, str] = {}
    held = [(work, due[work]) for work in _ORDER if work in due]
    before: tuple[Work, dt.date] | None = None
    for work, day in held:
        if day < opens_on:
            found[work] = f"{work.label}的期限{cn_date(day)}早于填报开始的{cn_date(opens_on)}，请改晚。"
        elif day - opens_on > _LONGEST:
            found[work] = f"{work.label}的期限{cn_date(day)}离填报开始超过一年，请核对年份。"
        elif before and day < before[1]:
            found[work] = (
                f"{work.label}在{before[0].label}之后办理，期限{cn_date(day)}却早于{before[0].label}的"
                f"{cn_date(before[1])}。请改晚，或提前{before[0].label}。"
            )
        elif words := _too_late(rules.get(work), day, due, term=term, opens_on=opens_on, days=days):
            found[work] = words
        before = (work, day) if not before or day >= before[1] else before
    if in_class and Work.SCHOOL_REVIEW in due and Work.SCHOOL_REVIEW not in found:
        words = _no_time_in_class(due, in_class, days)
        if words:
            found[Work.SCHOOL_REVIEW] = words
    if Work.REPORT in due and Work.REPORT not in found:
        words = _no_time_to_hang(due, notice, days)
        if words:
            found[Work.REPORT] = words
    return found


def _too_late(rule: Rule | None, day: dt.date, due: Plan, *, term: str, opens_on: dt.date, days: WorkingDays) -> str:
    """Against a rule that binds. Where the work before has no day, or a calendar is missing, nothing is said."""
    if rule is None or not rule.is_binding:
        return ""
    try:
        if rule.count:
            place = _ORDER.index(rule.work)
            begins = due.get(_ORDER[place - 1]) if place else opens_on
            latest = days.after(begins, rule.count, working=rule.working)[-1] if begins else None
        else:
            latest = rule.fixed(term)
    except CalendarMissing:
        return ""
    if latest is None or day <= latest:
        return ""
    said = f"（{rule.words}）" if rule.count else ""
    return (
        f"{rule.work.label}的期限{cn_date(day)}晚于规定的{cn_date(latest)}{said}，依据：{rule.source}。"
        "请改早，或先在“办理期限规定”中登记新的规定。"
    )


def _no_time_to_hang(due: Plan, notice: NoticeLength, days: WorkingDays) -> str:
    earlier = [(work, due[work]) for work in _ORDER[: _ORDER.index(Work.REPORT)] if work in due]
    if not earlier:
        return ""
    work, published = earlier[-1]
    try:
        last = days.after(published, notice.count, working=notice.working)[-1]
    except CalendarMissing:
        return ""
    if due[Work.REPORT] > last:
        return ""
    when = "最晚在" if work == Work.NOTICE else f"{work.label}后最早在"
    return (
        f"公示{when}{cn_date(published)}发布，满{notice.words}要到{cn_date(last)}，次日起才能上报；"
        f"上报期限{cn_date(due[Work.REPORT])}来不及。请改晚上报，或提前前面的期限。"
    )


def _no_time_in_class(due: Plan, notice: NoticeLength, days: WorkingDays) -> str:
    if Work.CLASS_REVIEW not in due:
        return ""
    published = due[Work.CLASS_REVIEW]
    try:
        last = days.after(published, notice.count, working=notice.working)[-1]
    except CalendarMissing:
        return ""
    if due[Work.SCHOOL_REVIEW] > last:
        return ""
    return (
        f"班级评议后要在班内公示，最晚{cn_date(published)}发布，满{notice.words}要到{cn_date(last)}，次日起才能学校评审；"
        f"学校评审期限{cn_date(due[Work.SCHOOL_REVIEW])}来不及。请改晚学校评审，或提前班级评议。"
    )


def remarks(due: Plan, *, today: dt.date, days: WorkingDays) -> list[str]:
    """What to look at before saving, none of which forbids it: days nobody works, days gone by, unknown years."""
    found = []
    unknown = sorted({day.year for day in due.values()} - days.years)
    for year in unknown:
        named = "、".join(work.label for work in _ORDER if work in due and due[work].year == year)
        found.append(
            f"{year} 年的放假调休安排还没有录入，没有核对{named}的期限是不是工作日、公示天数够不够。"
            "请县资助中心先在“工作日历”中录入。"
        )
    for work in _ORDER:
        day = due.get(work)
        if day is None:
            continue
        if day < today:
            found.append(f"{work.label}的期限{cn_date(day)}已经过去。")
        elif day.year not in unknown and (why := days.why_not(day)):
            found.append(f"{cn_date(day)}是{why}，不是工作日（{work.label}的期限）。{_rather(day, days)}")
    return found


def _rather(day: dt.date, days: WorkingDays) -> str:
    try:
        return f"可以改为之后的工作日{cn_date(days.next_from(day))}。"
    except CalendarMissing:
        return "请改为工作日。"


# --- where the work stands ------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """One work of a round somewhere: how many of how many cases are past it, and its last day."""

    work: Work
    due_on: dt.date | None
    done: int
    total: int
    today: dt.date
    more_may_come: bool = False  # filing is still open: what is done now may not be all

    @property
    def left(self) -> int:
        return self.total - self.done

    @property
    def late_by(self) -> int:
        """Days gone by since the last day while something is left to do; 0 when it is not late."""
        if self.due_on is None or not self.left or self.today <= self.due_on:
            return 0
        return (self.today - self.due_on).days

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do for good; filing itself is over with its last day."""
        return not self.left and not self.more_may_come

    @property
    def tone(self) -> str:
        """The kind of badge: stop when late, wait when due within three days, done, note when there is nothing."""
        if self.late_by:
            return "stop"
        if self.is_over:
            return "done" if self.total else "note"
        return "wait" if self.due_on and 0 <= (self.due_on - self.today).days <= _NEAR else "go"

    @property
    def words(self) -> str:
        """已完成, 逾期 3 天, 今天到期, 还有 5 天, 没有期限, 没有申请."""
        if self.is_over:
            return "已完成" if self.total else "没有申请"
        if not self.left and self.due_on and self.due_on < self.today:
            return "暂时没有要办的"
        return countdown(self.due_on, self.today) or "没有期限"


_NEAR = 3


def countdown(due_on: dt.date | None, today: dt.date) -> str:
    """逾期 3 天, 今天到期, 还有 5 天; "" without a last day. Days of the calendar."""
    if due_on is None:
        return ""
    left = (due_on - today).days
    if left < 0:
        return f"逾期 {-left} 天"
    return f"还有 {left} 天" if left else "今天到期"


def standings(counts: Mapping[str, int], due: Mapping[Work, dt.date], today: dt.date) -> list[Standing]:
    """Every work in order, from how many cases are in which state.

    A draft counts for filing only: when the days of filing are over it goes nowhere. What was ended, refused or is
    on its way to another school is no work any more.
    """
    waiting = dict.fromkeys(_ORDER, 0)
    for state, count in counts.items():
        work = WORK.get(State(state))
        if work is not None:
            waiting[work] += count
    paid, drafts = counts.get(State.PAID, 0), counts.get(State.DRAFT, 0)
    total = sum(waiting.values()) + paid
    is_open = Work.FILING in due and today <= due[Work.FILING]
    found, not_yet = [], 0
    for work in _ORDER:
        not_yet += waiting[work]
        found.append(Standing(work, due.get(work), total - not_yet, total, today, is_open))
        if work == Work.FILING:
            not_yet, total = not_yet - drafts, total - drafts
    return found


def told(due: Mapping[Work, dt.date]) -> str:
    """A plan in one line, as the trail keeps it: 填报 2026-10-30；班级评议 2026-11-06."""
    return "；".join(f"{work.label} {due[work]}" for work in _ORDER if work in due)


def latest(found: Iterable[Standing]) -> Standing | None:
    """Of late work, that which is late longest."""
    late = [each for each in found if each.late_by]
    return max(late, key=lambda each: each.late_by) if late else None


def pressing(found: Iterable[Standing]) -> list[Standing]:
    """What to look at first: everything late, then the work that is due next."""
    undone = [each for each in found if each.due_on and not each.is_over]
    ahead = [each for each in undone if each.due_on and each.due_on >= each.today]
    return [each for each in undone if each.late_by] + ahead[:1]


def _month_day(text: str) -> str:
    month, day = text.split("-")
    return f"{int(month)}月{int(day)}日"
