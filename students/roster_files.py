"""Files that go with a roster: the template to fill in, what was found as a list, and the sender's own file marked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_time
from documents import marking, uploads, xlsx

from . import columns, grades
from .models import Category, RosterFinding, RosterImport, School, SchoolClass

VERSION = "2026-2"
_STATES = RosterImport.State
_FREE_ROWS = 200  # text-formatted rows ready to be filled in

# The sample child: recognised by the importer by its name and left aside.
_SAMPLE: Mapping[str, str] = {
    "school_name": "",
    "name": "（示例）张小明",
    "id_number": "填 18 位身份证件号",
    "roll_number": "填 19 位学籍号",
    "sex": "男",
    "ethnicity": "汉族",
    "grade": "七年级",
    "class": "1班",
    "boarding": "寄宿",
    "guardian_name": "张大明",
    "guardian_relation": "父亲",
    "phone": "填 11 位手机号",
    "bank": "某某县农村信用合作联社",
    "account": "填银行账号",
    "holder": "张大明",
    "relation": "父亲",
    "categories": "",
    "evidence": "填证明名称和编号",
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sex": ("男", "女"),
    "boarding": ("寄宿", "走读", "半寄宿"),
    "relation": ("本人", "父亲", "母亲", "其他监护人"),
}
_WIDE = {
    **{"school_name": 24, "name": 16, "id_number": 24, "roll_number": 24, "class": 16, "phone": 16, "bank": 26},
    **{"account": 24, "categories": 24, "evidence": 28},
}
_NOTES: tuple[str, ...] = (
    "带 * 的列必须填写；其他列没有就留空，空白不会清除已经登记的内容。",
    "身份证件号、学籍号、银行账号的格子已设成文本格式，请直接输入或只粘贴数值；设成数字格式会丢掉末几位，导入时会被退回。",
    "姓名照户口簿填写，生僻字不要用符号或拼音代替，少数民族姓名用间隔号“·”。",
    "班级可以从下拉列表里选，也可以填新的班级（例如“3班”），导入时会新建。",
    "就读方式填“寄宿”或“走读”；寄宿和走读的补助标准不同，请如实填写。",
    "写了银行账号，就要写开户银行和户名；户名与银行登记的完全一致。账户只能是学生本人或监护人的。",
    "困难类别从下拉列表里选，一名学生有几个类别时自己输入，用顿号分开；写了类别就要写证明名称和编号。没有困难类别的学生留空，不要填“无”或“否”。",
    "另有“户口性质”“户籍所在地行政区划代码”“就学方式”和中职班级的“专业类别”的，可以在右边加上这几列；有的资助标准按它们区分。",
    "名册里的示例行导入时会自动跳过，可以保留也可以删去。",
    "也可以不用这个模板：学籍系统导出的花名册补上就读方式后，可以直接上传，列的顺序不限。",
    f"模板版本：{VERSION}",
)
_COUNTY_NOTE = (
    "学校名称从下拉列表里选，班级的下拉列表跟着本行的学校变。全县各校可以放在一张表里，也可以一校一张工作表。"
)


@dataclass
class _Offered:
    """The words one unit's template offers in its drop-downs."""

    schools: list[str] = field(default_factory=list)  # only in the template for a county
    grades: tuple[str, ...] = ()
    classes: dict[str, list[str]] = field(default_factory=dict)  # by school
    categories: tuple[str, ...] = ()


def template(unit: Unit) -> bytes:
    """An empty roster for the school, or for all schools of the county: the headers, text cells, a sample row,
    a sheet of notes, and drop-downs of the classes on record and of the kinds of hardship in force today."""
    offered = _offered(unit)
    used = [columns.BY_KEY[key] for key in _SAMPLE if key != "school_name" or offered.schools]
    titles = [_title(column, offered) for column in used]
    # Cells with an empty text are text cells already: what is typed into them keeps all its digits.
    empty = [""] * len(used)
    sample = _sample(offered)
    rows = [[sample[column.key] for column in used], *[empty] * _FREE_ROWS]
    notes = (_COUNTY_NOTE, *_NOTES) if offered.schools else _NOTES
    return xlsx.write(
        [
            xlsx.WorksheetPlan("名册", titles, rows, frozen_columns=2 if offered.schools else 1, to_fill_in=True),
            xlsx.WorksheetPlan(
                "填写说明",
                [xlsx.Column("序号", 6, centred=True), xlsx.Column("说明", 100)],
                [[str(number), text] for number, text in enumerate(notes, start=1)],
            ),
        ],
        keywords=f"roster-template {VERSION}",
    )


def _offered(unit: Unit) -> _Offered:
    schools = School.objects.filter(unit__path__startswith=unit.path, unit__is_active=True).select_related("unit")
    today = clock.today()
    in_force = Category.objects.filter(Q(valid_to=None) | Q(valid_to__gte=today), valid_from__lte=today)
    offered = _Offered(categories=tuple(in_force.values_list("name", flat=True)))
    stages = {stage for school in schools for stage in school.stages}
    offered.grades = tuple(
        dict.fromkeys(grade.name for grade in grades.GRADES.values() if not stages or grade.stage in stages)
    )
    if unit.level == Unit.Level.COUNTY:
        offered.schools = [school.unit.name for school in schools]
    classes = SchoolClass.objects.filter(unit__path__startswith=unit.path, unit__is_active=True)
    for name, school in classes.values_list("unit__name", "unit__parent__name"):
        offered.classes.setdefault(school, []).append(name)
    return offered


def _title(column: columns.Column, offered: _Offered) -> xlsx.Column:
    choices, choices_by = _CHOICES.get(column.key, ()), None
    if column.key == "school_name":
        choices = tuple(offered.schools)
    elif column.key == "grade":
        choices = offered.grades
    elif column.key == "categories":
        choices = offered.categories
    elif column.key == "class" and offered.schools:
        choices_by = (_header(columns.BY_KEY["school_name"]), offered.classes)
    elif column.key == "class":
        choices = tuple(name for names in offered.classes.values() for name in names)
    return xlsx.Column(_header(column), width=_WIDE.get(column.key, 12), choices=choices, choices_by=choices_by)


def _header(column: columns.Column) -> str:
    """As in the template: with a star where the cell must be filled in."""
    must = column.is_required or column.key in ("boarding", "school_name")
    return f"{column.label}*" if must else column.label


def _sample(offered: _Offered) -> dict[str, str]:
    """The sample child in a class of this school, so that the row shows what is meant."""
    school, classes = next(iter(offered.classes.items()), ("", []))
    sample = {**_SAMPLE, "school_name": school or next(iter(offered.schools), "")}
    sample["categories"] = next(iter(offered.categories), "")
    if classes:
        grade = grades.grade_of_class(classes[0])
        sample |= {"grade": grade.name if grade else "", "class": classes[0]}
    elif offered.grades:
        sample["grade"] = offered.grades[0]
    return sample


def findings_sheet(roster: RosterImport, findings: Iterable[RosterFinding], *, reader: User) -> bytes:
    """What was found, row by row, to hand to whoever keeps the original file. Numbers stay masked."""
    titles = [
        xlsx.Column("表", 14),
        xlsx.Column("行", 8, "count"),
        xlsx.Column("学生", 14),
        xlsx.Column("列", 16),
        xlsx.Column("结果", 10),
        xlsx.Column("内容", 22),
        xlsx.Column("原因", 46),
        xlsx.Column("怎么改", 54),
    ]
    is_of_county = roster.unit.level == Unit.Level.COUNTY
    if is_of_county:
        titles.insert(0, xlsx.Column("学校", 24))

    def row(finding: RosterFinding) -> list[xlsx.Content]:
        cells: list[xlsx.Content] = [
            finding.sheet,
            finding.row,
            finding.who,
            finding.column,
            finding.get_level_display(),
            finding.value,
            finding.message,
            remedy(finding, reader),
        ]
        return [finding.school.name if finding.school else "", *cells] if is_of_county else cells

    rows = (row(finding) for finding in findings)
    above = [f"{roster.unit.name}　{roster.term.name}", counts(roster)]
    plan = xlsx.WorksheetPlan("问题清单", titles, rows, title="名册问题清单", above=above, frozen_columns=2)
    return xlsx.write([plan])


def counts(roster: RosterImport) -> str:
    """The numbers of an import in one line."""
    return (
        f"共 {roster.rows_total} 行：新增 {roster.rows_new}，变更 {roster.rows_changed}，无变化 {roster.rows_same}，"
        f"有误 {roster.rows_refused}"
    )


def remedy(finding: RosterFinding, reader: User) -> str:
    """What to do about it. Where another school is meant, with its name for those whose scope holds that school too."""
    if finding.elsewhere and scopes.allows(reader, Permission.VIEW_PUPILS, finding.elsewhere):
        return f"（{finding.elsewhere.name}）{finding.remedy}"
    return finding.remedy


# --- the user's own file, marked --------------------------------------------------------------------


def may_fetch_marked(roster: RosterImport, user: User) -> bool:
    """The marked file holds every number in full: it goes back to nobody but whoever sent it in."""
    if roster.file is None or roster.state not in (_STATES.CHECKED, _STATES.APPLIED):
        return False
    return roster.file.uploaded_by_id == user.pk and scopes.allows(user, Permission.IMPORT_ROSTER, roster.unit)


def marked(roster: RosterImport, *, by: User) -> tuple[bytes, str]:
    """The workbook as it was sent in, always as .xlsx, with what was found marked in it; and a name for it.

    Raises PermissionDenied for everybody but the sender, ValidationError when the file is no longer kept.
    """
    access.require(by, Permission.IMPORT_ROSTER, roster.unit)
    if roster.file and roster.file.uploaded_by_id != by.pk:
        raise PermissionDenied("标记好的原文件里有完整号码，只交还给上传的人。其他人可以下载问题清单，号码已遮盖。")
    if not may_fetch_marked(roster, by):
        raise ValidationError("原文件已经删除或还没有预检完，不能下载标记好的文件。需要时请重新上传。")
    assert roster.file is not None
    content = marking.mark(
        uploads.read(roster.file), marks=_marks(roster, by), header_rows=_header_rows(roster), summary=_summary(roster)
    )
    with transaction.atomic():
        audit.record("roster.download_marked", roster, by=by, unit=roster.unit, term=roster.term.key)
    return content, f"{PurePath(roster.file.original_name).stem}_已标记.xlsx"


def _marks(roster: RosterImport, reader: User) -> dict[tuple[str, int], list[marking.Mark]]:
    found: dict[tuple[str, int], list[marking.Mark]] = {}
    said = roster.findings.filter(level__in=[RosterFinding.Level.ERROR, RosterFinding.Level.WARNING])
    for finding in said.select_related("elsewhere").order_by("pk"):
        mark = marking.Mark(
            level="error" if finding.level == RosterFinding.Level.ERROR else "warning",
            message=finding.message,
            remedy=remedy(finding, reader),
            column=finding.column_number,
            label=finding.column,
            value=finding.value,
            who=finding.who,
        )
        found.setdefault((finding.sheet, finding.row or 0), []).append(mark)
    return found


def _header_rows(roster: RosterImport) -> dict[str, int]:
    sheets = (roster.question or {}).get("sheets", [])
    return {sheet["sheet"]: sheet["header_row"] for sheet in sheets}


def _summary(roster: RosterImport) -> marking.Summary:
    when, verb = (roster.applied_at, "导入") if roster.applied_at else (roster.checked_at, "预检")
    numbers = [
        ("单位和学期", f"{roster.unit.name} {roster.term.name}"),
        (verb, cn_time(when)),
        ("总行数", str(roster.rows_total)),
        ("新增", str(roster.rows_new)),
        ("变更", str(roster.rows_changed)),
        ("无变化", str(roster.rows_same)),
        ("有误", f"{roster.rows_refused} 行，{'没有' if roster.applied_at else '不会'}导入"),
    ]
    kept = roster.findings.filter(level__in=["error", "warning"]).count()
    told = roster.errors_total + roster.warnings_total
    notes = [f"问题太多，只标出前 {kept} 处，共 {told} 处。改好这些再上传，会接着标出其余的。"] if told > kept else []
    return marking.Summary(columns.SUMMARY_TITLE, numbers, notes)
