"""The register brings its own words to the audit trail's page."""

from django.apps import AppConfig

from accounts import words

ACTIONS = {
    "roster.check": "预检名册",
    "roster.apply": "导入名册",
    "roster.discard": "放弃名册",
    "class.open": "新建班级",
    "pupil.enrol": "学生列入本学期名册",
    "pupil.change": "更新学生信息",
    "enrolment.boarding": "更正就读方式",
    "account.change": "变更收款账户",
    "circumstance.add": "登记困难类别",
    "circumstance.end": "结束困难类别",
    "circumstance.read_evidence": "查看困难证明",
    "identity.reveal": "查看完整号码",
    "reference.load": "载入基础资料",
}
DETAILS = {
    "fields": "栏目",
    "term": "学期",
    "rows_total": "总行数",
    "rows_new": "新增",
    "rows_changed": "变更",
    "rows_same": "无变化",
    "rows_refused": "有误",
    "before": "原值",
    "after": "新值",
    "category": "困难类别",
    "source": "来源",
    "replaces": "替代账户",
    "on": "日期",
    "grade": "年级",
}


class StudentsConfig(AppConfig):
    name = "students"
    verbose_name = "学生名册"

    def ready(self) -> None:
        words.ACTIONS.update(ACTIONS)
        # A word given below stands: the same key may mean the same thing in several rooms.
        words.DETAILS.update({key: word for key, word in DETAILS.items() if key not in words.DETAILS})
