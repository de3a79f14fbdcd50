"""Files that go with a roster: the template to fill in, and the list of what was found in one."""

from collections.abc import Mapping
from typing import Any

from documents import xlsx

from . import columns
from .models import RosterImport

VERSION = "2026-1"
_FREE_ROWS = 200  # text-formatted rows ready to be filled in

# The sample child: recognised by the importer by its name and left aside.
_SAMPLE: Mapping[str, str] = {
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
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sex": ("男", "女"),
    "boarding": ("寄宿", "走读"),
    "grade": ("小班", "中班", "大班", *(f"{n}年级" for n in "一二三四五六七八九"), "高一", "高二", "高三"),
    "relation": ("本人", "父亲", "母亲", "其他监护人"),
}
_WIDE = {"id_number": 24, "roll_number": 24, "bank": 26, "account": 24, "phone": 16, "name": 16}
_NOTES: tuple[str, ...] = (
    "带 * 的列必须填写；其他列没有就留空，空白不会清除已经登记的内容。",
    "身份证件号、学籍号、银行账号的格子已设成文本格式，请直接输入或只粘贴数值；设成数字格式会丢掉末几位，导入时会被退回。",
    "姓名照户口簿填写，生僻字不要用符号或拼音代替，少数民族姓名用间隔号“·”。",
    "就读方式填“寄宿”或“走读”；寄宿和走读的补助标准不同，请如实填写。",
    "写了银行账号，就要写开户银行和户名；户名与银行登记的完全一致。账户只能是学生本人或监护人的。",
    "名册里的示例行导入时会自动跳过，可以保留也可以删去。",
    "也可以不用这个模板：学籍系统导出的花名册补上就读方式后，可以直接上传，列的顺序不限。",
    "要登记困难类别，可以加两列“困难类别”和“证明名称和编号”；一名学生有几个类别时用顿号分开。",
    f"模板版本：{VERSION}",
)


def template() -> bytes:
    """An empty roster: the headers, text cells, drop-downs, a sample row, and a sheet of notes."""
    used = [columns.BY_KEY[key] for key in _SAMPLE]
    titles = [
        xlsx.Column(
            f"{column.label}*" if column.is_required or column.key == "boarding" else column.label,
            width=_WIDE.get(column.key, 12),
            choices=_CHOICES.get(column.key, ()),
        )
        for column in used
    ]
    # Cells with an empty text are text cells already: what is typed into them keeps all its digits.
    empty = [""] * len(used)
    rows = [list(_SAMPLE.values()), *[empty] * _FREE_ROWS]
    notes = [[str(number), text] for number, text in enumerate(_NOTES, start=1)]
    return xlsx.write(
        [
            xlsx.WorksheetPlan("名册", titles, rows, frozen_columns=1),
            xlsx.WorksheetPlan("填写说明", [xlsx.Column("序号", 6, centred=True), xlsx.Column("说明", 100)], notes),
        ],
        keywords=f"roster-template {VERSION}",
    )


_LEVELS = {"error": "不能导入", "warning": "请核对", "note": "说明"}


def findings_sheet(roster: RosterImport, findings: list[dict[str, Any]]) -> bytes:
    """What was found, row by row, to hand to whoever keeps the original file. Numbers stay masked."""
    titles = (
        xlsx.Column("表", 14),
        xlsx.Column("行", 8, "count"),
        xlsx.Column("学生", 14),
        xlsx.Column("列", 16),
        xlsx.Column("结果", 10),
        xlsx.Column("内容", 22),
        xlsx.Column("原因", 46),
        xlsx.Column("怎么改", 54),
    )
    rows = [
        [
            finding["sheet"],
            finding["row"],
            finding.get("who", ""),
            finding["column"],
            _LEVELS[finding["level"]],
            finding["value"],
            finding["message"],
            finding["remedy"],
        ]
        for finding in findings
    ]
    above = [
        f"{roster.school.name}　{roster.term.name}",
        f"共 {roster.rows_total} 行：新增 {roster.rows_new}，变更 {roster.rows_changed}，无变化 {roster.rows_same}，"
        f"有误 {roster.rows_refused}",
    ]
    plan = xlsx.WorksheetPlan("问题清单", titles, rows, title="名册问题清单", above=above, frozen_columns=2)
    return xlsx.write([plan])
