"""差额清单: what a rule dated in the past leaves to pay later or to take back, for the payment desk."""

from accounts import audit
from accounts.models import Unit, User
from documents import xlsx
from students.models import Term

from . import what_if
from .models import Programme
from .states import State

MOST_ROWS = 50_000
_COLUMNS = (
    xlsx.Column("序号", 6, "count"),
    xlsx.Column("学校", 24),
    xlsx.Column("班级", 14),
    xlsx.Column("姓名", 12),
    xlsx.Column("申请状态", 14, centred=True),
    xlsx.Column("原金额（元）", 12, "amount"),
    xlsx.Column("现行标准（元）", 12, "amount"),
    xlsx.Column("差额（元）", 12, "amount"),
    xlsx.Column("办理", 30),
)


def write(programme: Programme, term: Term, county: Unit, *, by: User) -> bytes:
    """The county's list of one term as a workbook; leaves an audit row."""
    rows = list(what_if.differences(programme, term, county))
    told: list[list[xlsx.Content]] = [
        [
            number,
            row.school,
            row.class_name,
            row.name,
            State(row.state).label,
            row.before,
            row.after or row.before * 0,
            row.difference,
            row.deed,
        ]
        for number, row in enumerate(rows[:MOST_ROWS], start=1)
    ]
    reported = [row for row in rows if row.is_reported]
    more = what_if.total(row for row in reported if row.difference > 0)
    less = what_if.total(row for row in reported if row.difference < 0)
    above = [
        f"项目：{programme.name}　　学期：{term.name}",
        f"已上报 {len(reported)} 份：补发合计 {more:.2f} 元，追回合计 {-less:.2f} 元。",
    ]
    below = ["填表人：　　　　　　　　审核人：　　　　　　　　　　　　县学生资助中心（盖章）　　　　年　　月　　日"]
    plan = xlsx.WorksheetPlan(
        "差额清单", _COLUMNS, told, title="资助标准调整差额清单", above=above, below=below, frozen_columns=4
    )
    content = xlsx.write([plan])
    audit.record(
        "difference.export", programme, by=by, unit=county, programme=programme.code, term=term.key, lines=len(rows)
    )
    return content
