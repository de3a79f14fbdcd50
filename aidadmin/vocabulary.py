"""What the codes in the audit trail are called in Chinese, for all packages.

`accounts` stores the codes of packages it may not know; here, where all are known, they get their words.
A test holds the list against the code.
"""

from accounts import words
from students import privacy
from subsidies.states import TRANSITIONS, State

ACTIONS = {
    "circumstance.read_evidence": "查看困难证明",
    "pupil.enrol": "编入学期名册",
    "pupil.change": "更新学生信息",
    "county.create": "建立县",
    "school.add": "登记学校",
    "school.change": "修改学校信息",
    "account.change": "更换收款账户",
    "application.change_draft": "修改申请草稿",
    "application.draft": "填报申请",
    "batch.make": "编制发放批次",
    "calendar.record_year": "录入工作日历",
    "circumstance.add": "登记困难情形",
    "circumstance.end": "结束困难情形",
    "class.open": "新建班级",
    "document.issue": "编发文件",
    "document.supersede": "文件作废换发",
    "dossier.read": "调阅学生档案",
    "enrolment.boarding": "更改就读方式",
    "identity.reveal": "查看完整证件号或账号",
    "list.decide": "审批名单",
    "meeting.hold": "记录评审会议",
    "notice.close": "结束公示",
    "notice.photo": "上传公示照片",
    "notice.publish": "发布公示",
    "objection.receive": "登记异议",
    "objection.settle": "办结异议",
    "reference.load": "载入基础资料",
    "roster.apply": "导入名册",
    "roster.check": "检查名册",
    "roster.discard": "放弃名册",
    "round.change_window": "调整填报时间",
    "round.open": "开启资助批次",
    "round.withdraw": "撤销资助批次",
    "sheet.download": "下载发放表",
    "sheet.generate": "生成发放表",
    "sheet.read_signed": "查看签字表",
    "sheet.record_payment": "登记发放结果",
    "sheet.retry": "重新生成发放表",
    "sheet.upload_signed": "上传签字表",
    "signing.key": "更换签名密钥",
    "standard.add": "登记标准",
    "upload.discard": "删除上传文件",
    "upload.store": "上传文件",
}

DETAILS = {
    "amount": "金额（元）",
    "categories": "困难类别",
    "category": "困难类别",
    "code": "代码",
    "ends_on": "截止",
    "field": "项目",
    "fields": "更新项",
    "first_term": "执行学期",
    "from": "原状态",
    "note": "事由",
    "purpose": "用途",
    "source": "来源",
    "stages": "学段",
    "terms": "学期",
    "to": "新状态",
    "after": "改为",
    "attempt": "次数",
    "before": "原为",
    "cleared": "无异议",
    "closes_on": "截止日期",
    "decisions": "结论数",
    "document": "文件编号",
    "fingerprint": "指纹",
    "held": "核查中",
    "kind": "类别",
    "level": "层级",
    "lines": "行数",
    "new": "新",
    "number": "编号",
    "pages": "页数",
    "on": "日期",
    "opens_on": "开始日期",
    "paid_on": "发放日期",
    "programme": "项目",
    "programmes": "项目",
    "replaces": "替换",
    "rest": "休息日",
    "rows_changed": "变更",
    "rows_new": "新增",
    "rows_refused": "有误",
    "rows_same": "未变",
    "rows_total": "共",
    "sha256": "校验值",
    "size": "字节",
    "stage": "学段",
    "term": "学期",
    "tier": "档次",
    "total": "金额（元）",
    "upheld": "异议成立",
    "voucher": "凭证号",
    "work": "上班日",
}

SUBJECTS = {
    "accounts.unit": "单位",
    "students.school": "学校",
    "archives.dossier": "学生档案",
    "documents.issueddocument": "文件",
    "documents.upload": "上传文件",
    "publicity.notice": "公示",
    "publicity.objection": "异议",
    "students.bankaccount": "收款账户",
    "students.circumstance": "困难情形",
    "students.enrolment": "在读登记",
    "students.pupil": "学生",
    "students.rosterimport": "名册",
    "subsidies.application": "申请",
    "subsidies.meeting": "评审会议",
    "subsidies.paymentbatch": "发放批次",
    "subsidies.payoutsheet": "发放表",
    "subsidies.round": "资助批次",
    "subsidies.standard": "标准",
    "calendar": "工作日历",
}


def teach() -> None:
    """Give `accounts.words` the words of every package."""
    words.ACTIONS.update(ACTIONS)
    words.ACTIONS.update({row.audit_event: row.step.label for row in TRANSITIONS})
    words.DETAILS.update(DETAILS)
    words.SUBJECTS.update(SUBJECTS)
    words.VALUES.update({state.value: state.label for state in State})
    words.VALUES.update(privacy.PURPOSES)
    words.VALUES.update(privacy.FIELD_LABELS)
    words.VALUES.update({"boarding": "寄宿", "day": "走读", "class": "班级", "school": "学校", "county": "县"})
