"""Every address of the system, with the record it is asked for: always one of the first school's first class."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from .county import County


def named_patterns() -> Iterator[URLPattern]:
    """Every pattern of the URLconf, through all includes."""
    waiting = list(get_resolver().url_patterns)
    while waiting:
        pattern = waiting.pop(0)
        if isinstance(pattern, URLResolver):
            waiting += pattern.url_patterns
        else:
            yield pattern


def address(name: str, county: County) -> str:
    return reverse(name, kwargs=_keywords(county).get(name, {}))


def _keywords(county: County) -> dict[str, dict[str, Any]]:
    s = county.subjects
    in_class = {"pk": s["round"].pk, "unit": s["class"].pk}
    in_school = {"pk": s["round"].pk, "unit": s["school"].pk}
    pupil, roster, sheet, round_ = ({"pk": s[name].pk} for name in ("pupil", "roster", "sheet", "round"))
    notice, case, batch = ({"pk": s[name].pk} for name in ("notice", "application", "batch"))
    person = {"pk": s["person"].pk}
    return {
        # accounts
        "person": person,
        "person_appoint": {**person, "role": "principal"},
        "person_reset_password": person,
        "person_disable": person,
        "person_enable": person,
        "appointment_end": {"pk": s["appointment"].pk},
        "appointment_deputy": {"pk": s["appointment"].pk},
        "hand_over_new": person,
        "hand_over": {"pk": s["hand_over"].pk},
        "hand_over_paper": {"pk": s["hand_over"].pk},
        "hand_over_signed": {"pk": s["hand_over"].pk, "copy": s["hand_over"].signed_copies.get().pk},
        "audit_check": {"pk": s["audit_check"].pk},
        # documents
        "verify_code": {"code": s["sheet"].document.code},
        # students
        "school_edit": {"pk": s["school"].pk},
        "category_end": {"pk": s["circumstance"].category_id},
        "classes": {"pk": s["school"].pk},
        "class_edit": {"pk": s["class"].pk},
        "term_edit": {"pk": s["term"].pk},
        "pupil": pupil,
        "pupil_reveal": pupil,
        "account_change": pupil,
        "account_verify": pupil,
        "id_correct": pupil,
        "id_evidence": {"pk": s["id_correction"].pk},
        "staff_account_remove": {"pk": s["staff_account"].pk},
        "boarding_change": pupil,
        "change_choose": pupil,
        "change_new": {**pupil, "kind": "suspend"},
        "change_transfer": pupil,
        "change": {"pk": s["change"].pk},
        "change_end_waiting": {"pk": s["change"].pk},
        "change_report_dismiss": {"pk": s["report"].pk},
        "class_changes": {"pk": s["class"].pk},
        "follow_up_settle": {"pk": s["follow_up"].pk},
        "circumstance_add": pupil,
        "circumstance_end": {"pk": s["circumstance"].pk},
        "circumstance_evidence": {"pk": s["circumstance"].pk},
        "roster_import": roster,
        "roster_import_apply": roster,
        "roster_import_discard": roster,
        "roster_findings": roster,
        "roster_progress": roster,
        "roster_marked": roster,
        "roster_import_cancel": roster,
        "roster_ask_again": roster,
        "roster_columns": {"pk": s["unsure_roster"].pk},
        "list_version": {"pk": s["list_taken"].pk},
        "list_progress": {"pk": s["list_waiting"].pk},
        "list_take": {"pk": s["list_waiting"].pk},
        "list_discard": {"pk": s["list_waiting"].pk},
        "list_differences": {"pk": s["list_taken"].profile_id},
        "list_profile_edit": {"pk": s["list_taken"].profile_id},
        "list_decide": {"pk": s["proposal"].pk},
        "recheck": {"pk": s["recheck"].pk},
        # subsidies
        "programme": {"code": s["programme"].code},
        "programme_edit": {"code": s["programme"].code},
        "programme_switch": {"code": s["programme"].code},
        "ground_add": {"code": s["programme"].code},
        "ground_end": {"code": s["programme"].code, "pk": s["programme"].accepted.filter(last_term="").first().pk},
        "process_rule_add": {"code": s["programme"].code},
        "standard_add": {"code": s["programme"].code},
        "standard_end": {"code": s["programme"].code, "pk": s["programme"].standards.filter(last_term="").first().pk},
        "differences": {"code": s["programme"].code},
        "difference_sheet": {"code": s["programme"].code, "term": s["round"].term.key},
        "pack": {"code": "henan"},
        "pack_adopt": {"code": "henan"},
        "share_add": {"code": s["programme"].code},
        "share_end": {"pk": s["share"].pk},
        "exclusion_end": {"pk": s["exclusion"].pk},
        "concern": {"pk": s["concern"].pk},
        "concern_reopen": {"pk": s["settled_concern"].pk},
        "concern_proof": {"pk": s["settled_concern"].pk, "settlement": s["settlement"].pk},
        "concern_reason_end": {"pk": s["concern_reason"].pk},
        "screening_progress": {"pk": s["screening"].pk},
        "unaided_sheet": {"unit": s["school"].pk},
        "rollover_plan": {"pk": s["school"].pk},
        "rollover": {"pk": s["rollover"].pk},
        "rollover_report": {"pk": s["rollover"].pk},
        "rollover_undo": {"pk": s["rollover"].pk},
        "quotas": in_school,
        "quota_receive": round_,
        "quota": {"pk": s["quota"].pk},
        "quota_reduce": {"pk": s["quota"].pk},
        "quota_over": in_school,
        "percentage_add": {"code": s["programme"].code},
        "percentage_end": {"pk": s["percentage"].pk},
        "outside_quota": {"code": s["programme"].code},
        "outside_quota_end": {"pk": s["outside_quota"].pk},
        "round": round_,
        "round_window": round_,
        "round_progress": round_,
        "round_withdraw": round_,
        "batch_make": round_,
        "class_file": in_class,
        "class_forms": in_class,
        "declaration": pupil,
        "declaration_edit": pupil,
        "declaration_paper": {"pk": s["signed_form"].declaration_id, "rule": s["form_rule"].pk},
        "declaration_sign": {"pk": s["signed_form"].declaration_id, "rule": s["form_rule"].pk},
        "signed_form": {"pk": s["signed_form"].pk},
        "class_file_rows": in_class,
        "class_papers": in_class | {"enrolment": s["enrolment"].pk},
        "class_receipts": in_class,
        "receipt_scan": {"pk": s["receipt"].pk},
        "class_review": in_class,
        "class_evidence": in_class,
        "class_notice_skip": in_class,
        "school_review": in_school,
        "school_report": in_school,
        "school_check": in_school,
        "ledger_school": {"unit": s["school"].pk},
        "ledger_sheet": {"unit": s["school"].pk},
        "ledger_full": {"unit": s["school"].pk},
        "recognition_rechecks": {"unit": s["school"].pk},
        "recognition": {"pk": s["recognition"].pk},
        "recognition_evidence": {"pk": s["recognition"].pk},
        "school_confirm": in_school,
        "school_verify": in_school,
        "school_approve": in_school,
        "meeting": {"pk": s["meeting"].pk},
        "meeting_photo": {"pk": s["photographed"].pk, "photo": s["photo"].pk},
        "meeting_minutes": {"pk": s["photographed"].pk},
        "meeting_sign": {"pk": s["photographed"].pk},
        "signed_minutes": {"pk": s["photographed"].pk, "copy": s["signed_minutes"].pk},
        "class_review_sheet": in_class,
        "school_review_sheet": in_school,
        "application": case,
        "kinship_say": case,
        "application_withdraw": {"pk": s["waiting"].pk},
        "batch": batch,
        "batch_progress": batch,
        "batch_split": batch,
        "sheet": sheet,
        "sheet_pdf": sheet,
        "sheet_xlsx": sheet,
        "sheet_shares_xlsx": sheet,
        "sheet_sign": sheet,
        "sheet_signed_copy": {"pk": s["paid_sheet"].pk},
        "sheet_pay": sheet,
        "sheet_retry": sheet,
        # publicity
        "notice_public": {"code": s["notice"].code},
        "notice": notice,
        "notice_pdf": notice,
        "notice_close": notice,
        "notice_photo": notice,
        "objection_new": {"line": s["line"].pk},
        "objection_settle": {"pk": s["objection"].pk},
        # archives
        "dossier": case,
    }
