"""Chinese words for codes that are stored: permissions, audit actions, and the keys of audit details.

Codes stay, words may be reworded. A code without a word is shown as it is, never hidden.
"""

import datetime as dt
import re

from .roles import ROLES
from .roles import Permission as P
from .templatetags.aid import cn_date

# Audit details keep days as 2026-10-12.
_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")

PERMISSIONS: dict[P, str] = {
    P.VIEW_PUPILS: "查看学生",
    P.VIEW_CASES: "查看申请与公示",
    P.VIEW_BATCHES: "查看发放",
    P.VIEW_AUDIT: "查看操作记录",
    P.VIEW_REGISTER: "查看名册导入、比对名单和学期结转",
    P.EDIT_SCHOOLS: "登记学校",
    P.REVEAL_IDENTITY: "查看完整证件号和账号（逐次留痕）",
    P.IMPORT_ROSTER: "导入名册",
    P.EDIT_PUPILS: "维护学生信息",
    P.COMPARE_LISTS: "导入比对名单",
    P.RECORD_CHANGES: "办理异动",
    P.ROLL_OVER: "办理学期结转",
    P.SETTLE_CONCERNS: "处理清查事项",
    P.OPEN_ROUND: "开启资助批次",
    P.FILE_APPLICATION: "填报申请",
    P.HOLD_CLASS_REVIEW: "记录班级评议",
    P.HOLD_SCHOOL_REVIEW: "记录学校评审",
    P.CONFIRM_LIST: "校长确认",
    P.PUBLISH_CLASS_NOTICE: "发布班级公示",
    P.PUBLISH_NOTICE: "发布公示",
    P.REPORT_TO_COUNTY: "上报县中心",
    P.VERIFY: "县级审核",
    P.APPROVE: "县级审批",
    P.MAKE_BATCH: "编制发放批次",
    P.UPLOAD_SIGNED_SHEET: "上传签字表",
    P.RECORD_PAYMENT: "登记发放结果",
    P.ALLOT_QUOTAS: "向学校分配名额",
    P.DIVIDE_QUOTAS: "向班级分配名额",
    P.EDIT_STANDARDS: "维护项目与标准",
    P.EDIT_CALENDAR: "维护工作日历",
    P.MANAGE_ACCOUNTS: "管理账号与任职",
}

ACTIONS: dict[str, str] = {
    "session.sign_in": "登录",
    "session.sign_out": "退出",
    "session.refuse": "登录被拒",
    "account.create": "开通账号",
    "account.disable": "停用账号",
    "account.enable": "恢复账号",
    "account.reset_password": "重置密码",
    "account.change_password": "修改本人密码",
    "appointment.give": "登记任职",
    "appointment.act_for": "登记代理",
    "account.change_email": "更改提醒邮箱",
    "appointment.end": "结束任职",
    "appointment.cancel": "取消未开始的任职",
    "audit.verify": "核验操作记录",
}

DETAILS: dict[str, str] = {
    "username": "所用账号",
    "user": "人员编号",
    "role": "角色",
    "starts_on": "开始日期",
    "ends_on": "结束日期",
    "successor": "接任人员编号",
    "for": "被代理人账号",
    "rows": "行数",
    "broken_at": "首个异常行",
    "purpose": "用途",
    "field": "栏目",
    "from": "原状态",
    "to": "新状态",
    "note": "意见",
    "count": "数量",
}


SUBJECTS: dict[str, str] = {
    "accounts.user": "人员",
    "accounts.appointment": "任职",
    "accounts.auditrow": "操作记录",
}

# Codes that stand as values in details; roles here, the rest from the packages above.
VALUES: dict[str, str] = {role.code: role.label for role in ROLES.values()}


def action(code: str) -> str:
    return ACTIONS.get(code, code)


def subject(key: str) -> str:
    """What was acted on: `subsidies.application:31` becomes `申请 31`."""
    kind, _, number = key.partition(":")
    return f"{SUBJECTS.get(kind, kind)} {number}".strip()


def detail(facts: dict[str, object]) -> str:
    """The facts of an audit row as one line: `角色：资助专干；开始日期：2026年10月12日`."""
    told = ((DETAILS.get(key, key), value) for key, value in facts.items() if value not in (None, ""))
    return "；".join(f"{label}：{_value(value)}" for label, value in told)


def _value(value: object) -> str:
    if isinstance(value, list):
        return "、".join(_value(each) for each in value)
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, str) and _DAY.fullmatch(value):
        return cn_date(dt.date.fromisoformat(value))
    return VALUES.get(value, value) if isinstance(value, str) else str(value)
