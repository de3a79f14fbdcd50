"""未资助原因登记表: whom a school did not aid though they stand on record as in hardship, and why."""

from collections.abc import Iterator

from accounts.models import Unit
from accounts.templatetags.aid import cn_date
from documents import xlsx
from students.models import Term

from . import concern_words
from .models import Application, Concern, StepTaken
from .states import State

MOST_ROWS = 20_000  # of one school; more is no school
_COLUMNS = (
    xlsx.Column("序号", 6, "count"),
    xlsx.Column("班级", 14),
    xlsx.Column("姓名", 12),
    xlsx.Column("证件号", 22),
    xlsx.Column("困难类别及来源", 30),
    xlsx.Column("资助项目", 30),
    xlsx.Column("未资助原因", 20),
    xlsx.Column("说明", 34),
    xlsx.Column("登记人", 10, centred=True),
    xlsx.Column("登记日期", 16, centred=True),
)


def unaided_sheet(school: Unit, term: Term) -> bytes:
    """The school's register for the term as a workbook; numbers masked, open rows with an empty reason."""
    rows = [*_missed(school, term), *_refused(school, term)]
    rows.sort(key=lambda row: (row[0], str(row[1])))
    told = [[number, *row[1:]] for number, row in enumerate(rows[:MOST_ROWS], start=1)]
    waiting = sum(not row[6] for row in rows)
    above = [
        f"学校：{school.name}　　学期：{term.name}",
        f"共 {len(rows)} 人次，其中 {waiting} 人次还没有登记原因。",
    ]
    below = ["填表人：　　　　　　　　审核人：　　　　　　　　　　　　学校（盖章）　　　　年　　月　　日"]
    plan = xlsx.WorksheetPlan(
        "未资助原因登记表", _COLUMNS, told, title="困难学生未资助原因登记表", above=above, below=below, frozen_columns=3
    )
    return xlsx.write([plan])


def _missed(school: Unit, term: Term) -> Iterator[list[xlsx.Content]]:
    rows = Concern.objects.filter(kind=Concern.Kind.MISSED, term=term, owner=school)
    rows = rows.exclude(state=Concern.State.GONE).select_related("pupil", "settlement__reason", "settlement__by")
    for row in rows.order_by("path", "pupil__name", "pk")[:MOST_ROWS]:
        said = row.settlement
        note = f"{said.note}{'（附证明）' if said.proof_id else ''}" if said else ""
        yield [
            row.path,
            row.class_name,
            row.pupil.name,
            row.pupil.id_masked,
            concern_words.kinds(row.facts["kinds"]),
            row.facts["programme_name"],
            said.reason.label if said else "",
            note,
            said.by.name if said else "",
            cn_date(said.at) if said else "",
        ]


def _refused(school: Unit, term: Term) -> Iterator[list[xlsx.Content]]:
    """Whom a review refused: the reason stands in the decision."""
    rows = Application.objects.filter(school=school, term=term, state=State.REJECTED)
    rows = rows.select_related("pupil", "programme", "school_class", "enrolment")
    steps = StepTaken.objects.filter(application__in=rows, target=State.REJECTED).select_related("by").order_by("pk")
    last = {step.application_id: step for step in steps}
    # One who applied again since is judged by the new application.
    again = set(
        Application.objects.filter(school=school, term=term)
        .exclude(state__in=(State.REJECTED, State.WITHDRAWN))
        .values_list("pupil_id", "programme_id")
    )
    for row in rows.order_by("school_class__path", "pupil__name", "pk")[:MOST_ROWS]:
        if (row.pupil_id, row.programme_id) in again:
            continue
        step = last.get(row.pk)
        yield [
            row.school_class.path,
            row.enrolment.class_name,
            row.pupil.name,
            row.pupil.id_masked,
            concern_words.kinds(row.facts.get("categories", [])),
            row.programme.name,
            step.get_step_display() if step else "不予资助",
            step.note if step else "",
            step.by.name if step else "",
            cn_date(step.at) if step else "",
        ]
