"""Every permission and every role, on one page.

A role is held over a unit by an appointment; it reaches that unit and all units below it.
Codes are stored, labels are shown: a label may be reworded, a code may not.
"""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    # looking
    VIEW_PUPILS = "view_pupils"
    VIEW_CASES = "view_cases"
    VIEW_BATCHES = "view_batches"
    VIEW_AUDIT = "view_audit"
    VIEW_REGISTER = "view_register"  # what was done to the register: rosters, lists, roll-overs
    REVEAL_IDENTITY = "reveal_identity"
    # the register
    EDIT_SCHOOLS = "edit_schools"
    IMPORT_ROSTER = "import_roster"
    EDIT_PUPILS = "edit_pupils"
    COMPARE_LISTS = "compare_lists"
    RECORD_CHANGES = "record_changes"
    ROLL_OVER = "roll_over"
    SETTLE_CONCERNS = "settle_concerns"
    # the road of an application
    OPEN_ROUND = "open_round"
    FILE_APPLICATION = "file_application"
    HOLD_CLASS_REVIEW = "hold_class_review"
    HOLD_SCHOOL_REVIEW = "hold_school_review"
    CONFIRM_LIST = "confirm_list"  # the principal stands for what the committee decided
    PUBLISH_CLASS_NOTICE = "publish_class_notice"  # in the classroom, where the county wants two notices
    PUBLISH_NOTICE = "publish_notice"
    REPORT_TO_COUNTY = "report_to_county"
    VERIFY = "verify"
    APPROVE = "approve"
    # the money
    MAKE_BATCH = "make_batch"
    UPLOAD_SIGNED_SHEET = "upload_signed_sheet"
    RECORD_PAYMENT = "record_payment"
    ALLOT_QUOTAS = "allot_quotas"  # the county's places to schools
    DIVIDE_QUOTAS = "divide_quotas"  # a school's places to classes
    EDIT_STANDARDS = "edit_standards"
    EDIT_CALENDAR = "edit_calendar"
    # the installation
    MANAGE_ACCOUNTS = "manage_accounts"


class UnitLevel(StrEnum):
    COUNTY = "county"
    SCHOOL = "school"
    CLASS = "class"


@dataclass(frozen=True)
class Role:
    code: str
    label: str
    level: UnitLevel  # what kind of unit the appointment is over
    description: str
    permissions: frozenset[Permission]


P = Permission
_SEE = {P.VIEW_PUPILS, P.VIEW_CASES}

ROLES: dict[str, Role] = {
    role.code: role
    for role in (
        Role(
            "class_teacher",
            "班主任",
            UnitLevel.CLASS,
            "为本班学生填报申请，发布班级公示；可主持并记录本班评议，但不能评议自己填报的申请。",
            frozenset(_SEE | {P.FILE_APPLICATION, P.HOLD_CLASS_REVIEW, P.PUBLISH_CLASS_NOTICE, P.EDIT_PUPILS}),
        ),
        Role(
            "grade_head",
            "年级组长",
            UnitLevel.SCHOOL,
            "主持并记录各班的班级评议，可代为发布班级公示；不能评议自己填报的申请。小规模学校可由其他教师担任。",
            frozenset(_SEE | {P.HOLD_CLASS_REVIEW, P.PUBLISH_CLASS_NOTICE}),
        ),
        Role(
            "aid_officer",
            "资助专干",
            UnitLevel.SCHOOL,
            "维护本校名册和异动，办理学期结转，处理清查事项，组织班级评议和学校评审，向班级分配名额，发布公示，上报县中心，上传签字表。",
            frozenset(
                _SEE
                | {
                    P.VIEW_REGISTER,
                    P.REVEAL_IDENTITY,
                    P.IMPORT_ROSTER,
                    P.EDIT_PUPILS,
                    P.RECORD_CHANGES,
                    P.ROLL_OVER,
                    P.SETTLE_CONCERNS,
                    P.OPEN_ROUND,
                    P.HOLD_CLASS_REVIEW,
                    P.HOLD_SCHOOL_REVIEW,
                    P.PUBLISH_CLASS_NOTICE,
                    P.PUBLISH_NOTICE,
                    P.REPORT_TO_COUNTY,
                    P.DIVIDE_QUOTAS,
                    P.VIEW_BATCHES,
                    P.UPLOAD_SIGNED_SHEET,
                }
            ),
        ),
        Role(
            "principal",
            "校长",
            UnitLevel.SCHOOL,
            "资助工作第一责任人：逐人确认学校评审的结果，确认后才能公示；查看本校全部申请与发放。",
            frozenset(_SEE | {P.CONFIRM_LIST, P.VIEW_BATCHES}),
        ),
        Role(
            "county_clerk",
            "县资助中心经办",
            UnitLevel.COUNTY,
            "登记学校，导入全县名册和比对名单，办理跨校异动，开启批次，向学校分配名额，审核学校上报，编制发放批次，登记发放结果，维护标准和工作日历。",
            frozenset(
                _SEE
                | {
                    P.VIEW_REGISTER,
                    P.REVEAL_IDENTITY,
                    P.EDIT_SCHOOLS,
                    P.IMPORT_ROSTER,
                    P.COMPARE_LISTS,
                    P.RECORD_CHANGES,
                    P.ROLL_OVER,
                    P.SETTLE_CONCERNS,
                    P.OPEN_ROUND,
                    P.VERIFY,
                    P.MAKE_BATCH,
                    P.RECORD_PAYMENT,
                    P.VIEW_BATCHES,
                    P.ALLOT_QUOTAS,
                    P.EDIT_STANDARDS,
                    P.EDIT_CALENDAR,
                }
            ),
        ),
        Role(
            "county_head",
            "县资助中心负责人",
            UnitLevel.COUNTY,
            "审批经办审核通过的名单；查看名册办理、比对名单、清查、发放与操作记录。",
            frozenset(_SEE | {P.VIEW_REGISTER, P.APPROVE, P.VIEW_BATCHES, P.VIEW_AUDIT, P.RECORD_PAYMENT}),
        ),
        Role(
            "inspector",
            "督查",
            UnitLevel.COUNTY,
            "只读：查看全县名册办理、比对名单、清查、申请、公示、发放和操作记录，不能修改，看不到完整证件号和账号。",
            frozenset(_SEE | {P.VIEW_REGISTER, P.VIEW_BATCHES, P.VIEW_AUDIT}),
        ),
        Role(
            "system_admin",
            "系统管理员",
            UnitLevel.COUNTY,
            "管理账号和任职；看不到任何学生信息。",
            frozenset({P.MANAGE_ACCOUNTS}),
        ),
    )
}
