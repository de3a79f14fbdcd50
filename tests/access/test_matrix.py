"""Every address × every role: what a GET and an empty POST answer. An address without a row fails.

All addresses point at records of the first school's first class (`addresses`), so a column reads as a sentence:
the officer of another school gets 404 wherever a record lies outside their school, 403 where the desk is not theirs.
"""

import copy
import functools
import re
from collections.abc import Callable
from html import unescape

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.looks import long_number

from .addresses import address, named_patterns
from .county import ROLES, County

pytestmark = pytest.mark.django_db

# 200 the page · 302 done, on to the next page · 403 not your desk · 404 does not exist for you · 405 not this way ·
# login: sign in first.
GET = """
#                      teache other_ office princi grade_ other_ clerk  head   inspec admin  far_cl idle   strang
home                   200    200    200    200    200    200    200    200    200    200    200    200    login
waiting                200    200    200    200    200    200    200    200    200    200    200    200    login
email_change           200    200    200    200    200    200    200    200    200    200    200    200    login
demo_clock_advance     405    405    405    405    405    405    405    405    405    405    405    405    login
healthz                200    200    200    200    200    200    200    200    200    200    200    200    200
readyz                 200    200    200    200    200    200    200    200    200    200    200    200    200
login                  302    302    302    302    302    302    302    302    302    302    302    302    200
logout                 405    405    405    405    405    405    405    405    405    405    405    405    login
session                200    200    200    200    200    200    200    200    200    200    200    200    200
password_change        200    200    200    200    200    200    200    200    200    200    200    200    login
roles                  200    200    200    200    200    200    200    200    200    200    200    200    login

people                 403    403    403    403    403    403    403    403    403    200    403    403    login
person_create          403    403    403    403    403    403    403    403    403    200    403    403    login
person                 403    403    403    403    403    403    403    403    403    200    403    403    login
person_appoint         403    403    403    403    403    403    403    403    403    200    403    403    login
person_reset_password  405    405    405    405    405    405    405    405    405    405    405    405    login
person_disable         405    405    405    405    405    405    405    405    405    405    405    405    login
person_enable          405    405    405    405    405    405    405    405    405    405    405    405    login
appointment_end        403    403    403    403    403    403    403    403    403    200    403    403    login
audit                  403    403    403    403    403    403    403    200    200    403    403    403    login
audit_verify           405    405    405    405    405    405    405    405    405    405    405    405    login
appointment_deputy     403    403    403    403    403    403    403    403    403    200    403    403    login
hand_over_new          403    403    403    403    403    403    403    403    403    200    403    403    login
hand_over              403    403    403    403    403    403    403    403    403    200    403    403    login
hand_over_paper        403    403    403    403    403    403    403    403    403    200    403    403    login
hand_over_signed       403    403    403    403    403    403    403    403    403    200    403    403    login
near_misses            403    403    403    403    403    403    403    200    200    403    403    403    login
late_work              200    200    200    200    200    200    200    200    200    403    200    403    login
audit_check            403    403    403    403    403    403    403    200    200    403    403    403    login

verify                 200    200    200    200    200    200    200    200    200    200    200    200    200
verify_code            200    200    200    200    200    200    200    200    200    200    200    200    200

schools                200    200    200    200    200    200    200    200    200    403    200    403    login
school_add             403    403    403    403    403    403    200    403    403    403    200    403    login
classes                404    404    200    200    200    404    200    200    200    403    404    403    login
class_edit             403    403    200    403    403    404    200    403    403    403    404    403    login
school_edit            403    403    403    403    403    403    200    403    403    403    404    403    login
categories             200    200    200    200    200    200    200    200    200    403    200    403    login
category_add           403    403    403    403    403    403    200    403    403    403    200    403    login
category_end           403    403    403    403    403    403    200    403    403    403    200    403    login
terms                  403    403    403    403    403    403    200    403    403    403    200    403    login
term_add               403    403    403    403    403    403    200    403    403    403    200    403    login
term_edit              403    403    403    403    403    403    200    403    403    403    200    403    login
rollovers              403    403    200    403    403    200    200    200    200    403    200    403    login
rollover_many          405    405    405    405    405    405    405    405    405    405    405    405    login
rollover_plan          403    403    200    403    403    404    200    403    403    403    404    403    login
rollover               403    403    200    403    403    404    200    200    200    403    404    403    login
rollover_report        403    403    200    403    403    404    200    200    200    403    404    403    login
rollover_undo          405    405    405    405    405    405    405    405    405    405    405    405    login
pupils                 200    200    200    200    200    200    200    200    200    403    200    403    login
pupil_find             200    200    200    200    200    200    200    200    200    403    200    403    login
account_verify         405    405    405    405    405    405    405    405    405    405    405    405    login
id_correct             403    403    403    403    403    404    200    403    403    403    404    403    login
id_evidence            403    403    200    403    403    404    200    403    403    403    404    403    login
staff_accounts         403    403    200    403    403    200    200    403    403    403    200    403    login
staff_account_add      403    403    200    403    403    200    200    403    403    403    200    403    login
staff_account_import   403    403    200    403    403    200    200    403    403    403    200    403    login
staff_account_remove   405    405    405    405    405    405    405    405    405    405    405    405    login
pupil                  200    404    200    200    200    404    200    200    200    403    404    403    login
pupil_reveal           403    403    200    403    403    404    200    403    403    403    404    403    login
account_change         403    404    200    403    403    404    403    403    403    403    403    403    login
boarding_change        200    404    200    403    403    404    200    403    403    403    404    403    login
circumstance_add       200    404    200    403    403    404    403    403    403    403    403    403    login
circumstance_end       200    404    200    403    403    404    403    403    403    403    403    403    login
circumstance_evidence  200    404    200    403    403    404    200    403    403    403    404    403    login
changes                200    200    200    200    200    200    200    200    200    403    200    403    login
change_confirmations   200    200    200    200    200    200    200    200    200    403    200    403    login
change_report_dismiss  405    405    405    405    405    405    405    405    405    405    405    405    login
class_changes          200    404    200    200    200    404    200    200    200    403    404    403    login
change_choose          200    404    200    403    403    404    200    403    403    403    404    403    login
change_new             403    404    200    403    403    404    200    403    403    403    404    403    login
change_transfer        403    403    403    403    403    404    200    403    403    403    404    403    login
transfer_in            403    403    200    403    403    200    200    403    403    403    200    403    login
transfer_in_class      403    403    302    403    403    302    302    403    403    403    302    403    login
change                 200    404    200    200    200    404    200    200    200    403    404    403    login
change_end_waiting     405    405    405    405    405    405    405    405    405    405    405    405    login
follow_ups             403    403    200    200    403    200    200    200    200    403    200    403    login
follow_up_settle       403    403    403    403    403    403    200    200    403    403    404    403    login
attendance             200    200    200    200    200    200    200    200    200    403    200    403    login
change_rules           200    200    200    200    200    200    200    200    200    403    200    403    login
roster_imports         403    403    200    403    403    200    200    200    200    403    200    403    login
roster_import_new      403    403    200    403    403    200    200    403    403    403    200    403    login
roster_template        403    403    200    403    403    200    200    403    403    403    200    403    login
roster_import          403    403    200    403    403    404    200    200    200    403    404    403    login
roster_import_apply    405    405    405    405    405    405    405    405    405    405    405    405    login
roster_import_discard  405    405    405    405    405    405    405    405    405    405    405    405    login
roster_findings        403    403    200    403    403    404    200    200    200    403    404    403    login
roster_progress        403    403    302    403    403    404    302    302    302    403    404    403    login
roster_columns         403    403    200    403    403    404    200    403    403    403    404    403    login
roster_marked          403    403    200    403    403    404    403    403    403    403    404    403    login
roster_import_cancel   405    405    405    405    405    405    405    405    405    405    405    405    login
roster_ask_again       405    405    405    405    405    405    405    405    405    405    405    405    login

lists                  403    403    200    403    403    200    200    200    200    403    200    403    login
list_profiles_load     405    405    405    405    405    405    405    405    405    405    405    405    login
lists_match_again      405    405    405    405    405    405    405    405    405    405    405    405    login
list_upload            403    403    403    403    403    403    200    403    403    403    200    403    login
list_version           403    403    200    403    403    200    200    200    200    403    404    403    login
list_progress          403    403    403    403    403    403    200    403    403    403    404    403    login
list_take              405    405    405    405    405    405    405    405    405    405    405    405    login
list_discard           405    405    405    405    405    405    405    405    405    405    405    405    login
list_differences       403    403    200    403    403    200    200    200    200    403    404    403    login
list_proposals         403    403    200    403    403    200    200    200    200    403    200    403    login
list_decide            405    405    405    405    405    405    405    405    405    405    405    405    login
rechecks               403    403    200    403    403    200    200    200    200    403    200    403    login
recheck                403    403    200    403    403    404    200    200    200    403    404    403    login
list_sources           403    403    403    403    403    403    200    200    200    403    200    403    login
list_profile_add       403    403    403    403    403    403    200    403    403    403    200    403    login
list_profile_edit      403    403    403    403    403    403    200    403    403    403    404    403    login

programmes             200    200    200    200    200    200    200    200    200    403    200    403    login
programme              200    200    200    200    200    200    200    200    200    403    200    403    login
programme_add          403    403    403    403    403    403    200    403    403    403    200    403    login
programme_edit         403    403    403    403    403    403    200    403    403    403    200    403    login
programme_switch       403    403    403    403    403    403    200    403    403    403    200    403    login
ground_add             403    403    403    403    403    403    200    403    403    403    200    403    login
ground_end             403    403    403    403    403    403    200    403    403    403    200    403    login
process_rule_add       403    403    403    403    403    403    200    403    403    403    200    403    login
standard_add           403    403    403    403    403    403    200    403    403    403    200    403    login
standard_end           403    403    403    403    403    403    200    403    403    403    200    403    login
differences            403    403    403    403    403    403    200    403    403    403    200    403    login
difference_sheet       403    403    403    403    403    403    200    403    403    403    200    403    login
share_add              403    403    403    403    403    403    200    403    403    403    200    403    login
share_end              403    403    403    403    403    403    200    403    403    403    200    403    login
packs                  403    403    403    403    403    403    200    403    403    403    200    403    login
pack                   403    403    403    403    403    403    200    403    403    403    200    403    login
pack_adopt             405    405    405    405    405    405    405    405    405    405    405    405    login
percentage_add         403    403    403    403    403    403    200    403    403    403    200    403    login
percentage_end         403    403    403    403    403    403    200    403    403    403    200    403    login
exclusion_add          403    403    403    403    403    403    200    403    403    403    200    403    login
exclusion_end          403    403    403    403    403    403    200    403    403    403    200    403    login
stage_ages_add         403    403    403    403    403    403    200    403    403    403    200    403    login
concerns               200    200    200    200    200    200    200    200    200    403    200    403    login
concern_schools        200    200    200    200    200    200    200    200    200    403    200    403    login
screening_ask          405    405    405    405    405    405    405    405    405    405    405    405    login
screening_progress     403    403    200    403    403    404    200    403    403    403    404    403    login
concerns_settle        405    405    405    405    405    405    405    405    405    405    405    405    login
unaided_sheet          404    404    200    200    200    404    200    200    200    403    404    403    login
concern_reasons        200    200    200    200    200    200    200    200    200    403    200    403    login
concern_reason_add     403    403    403    403    403    403    200    403    403    403    200    403    login
concern_reason_end     403    403    403    403    403    403    200    403    403    403    200    403    login
concern                200    404    200    200    200    404    200    200    200    403    404    403    login
concern_reopen         403    403    403    403    403    404    200    403    403    403    404    403    login
concern_proof          403    403    200    403    403    404    200    403    403    403    404    403    login
rounds                 200    200    200    200    200    200    200    200    200    403    200    403    login
round_open             403    403    200    403    403    200    200    403    403    403    200    403    login
round                  200    200    200    200    200    200    200    200    200    403    404    403    login
round_window           403    403    403    403    403    403    200    403    403    403    404    403    login
round_progress         200    200    200    200    200    200    200    200    200    403    404    403    login
form_rules             200    200    200    200    200    200    200    200    200    403    200    403    login
declaration            200    404    200    200    200    404    200    200    200    403    404    403    login
declaration_edit       200    404    200    403    403    404    403    403    403    403    403    403    login
declaration_paper      200    404    200    200    200    404    200    200    200    403    404    403    login
declaration_sign       200    404    200    403    403    404    403    403    403    403    403    403    login
signed_form            200    404    200    200    200    404    200    200    200    403    404    403    login
class_forms            200    404    200    200    200    404    200    200    200    403    404    403    login
deadline_rules         200    200    200    200    200    200    200    200    200    403    200    403    login
quotas                 404    404    200    200    200    404    200    200    200    403    404    403    login
quota_receive          403    403    403    403    403    403    200    403    403    403    404    403    login
quota                  200    404    200    200    200    404    200    200    200    403    404    403    login
quota_reduce           403    403    200    403    403    404    403    403    403    403    404    403    login
outside_quota          200    200    200    200    200    200    200    200    200    403    200    403    login
outside_quota_end      403    403    403    403    403    403    200    403    403    403    200    403    login
round_withdraw         405    405    405    405    405    405    405    405    405    405    405    405    login
class_file             200    404    403    403    403    403    403    403    403    403    403    403    login
class_file_rows        405    405    405    405    405    405    405    405    405    405    405    405    login
class_papers           200    404    403    403    403    403    403    403    403    403    403    403    login
class_receipts         200    404    403    403    403    403    403    403    403    403    403    403    login
receipt_scan           200    404    200    200    200    404    200    200    200    403    404    403    login
class_review           200    404    200    403    200    404    403    403    403    403    403    403    login
class_review_sheet     200    404    200    403    200    404    403    403    403    403    403    403    login
school_review          404    404    200    403    403    404    403    403    403    403    403    403    login
school_review_sheet    403    403    200    403    403    404    403    403    403    403    403    403    login
class_evidence         403    403    200    403    403    404    403    403    403    403    403    403    login
quota_over             403    403    200    403    403    404    403    403    403    403    403    403    login
school_confirm         403    403    403    200    403    403    403    403    403    403    403    403    login
check_rules            200    200    200    200    200    200    200    200    200    403    200    403    login
school_check           404    404    200    200    200    404    200    200    200    403    404    403    login
ledger                 302    200    302    302    302    302    200    200    200    403    200    403    login
ledger_school          200    200    200    200    200    404    200    200    200    403    404    403    login
ledger_sheet           200    200    200    200    200    404    200    200    200    403    404    403    login
ledger_full            403    403    200    403    403    404    200    403    403    403    404    403    login
recognition_rechecks   404    404    200    200    200    404    200    200    200    403    404    403    login
recognition            200    404    200    200    200    404    200    200    200    403    404    403    login
recognition_evidence   403    404    200    403    403    404    200    403    403    403    404    403    login
tier_wordings          200    200    200    200    200    200    200    200    200    403    200    403    login
school_report          403    403    200    403    403    404    403    403    403    403    403    403    login
school_verify          403    403    403    403    403    403    200    403    403    403    404    403    login
school_approve         403    403    403    403    403    403    403    200    403    403    403    403    login
batch_make             403    403    403    403    403    403    200    403    403    403    404    403    login
meeting                200    404    200    200    200    404    200    200    200    403    404    403    login
meeting_photo          200    404    200    200    200    404    200    200    200    403    404    403    login
meeting_minutes        405    405    405    405    405    405    405    405    405    405    405    405    login
meeting_sign           200    404    200    403    200    404    403    403    403    403    403    403    login
signed_minutes         200    404    200    200    200    404    200    200    200    403    404    403    login
applications           200    200    200    200    200    200    200    200    200    403    200    403    login
application            200    404    200    200    200    404    200    200    200    403    404    403    login
kinship_say            405    405    405    405    405    405    405    405    405    405    405    405    login
application_withdraw   200    404    403    403    403    403    403    403    403    403    403    403    login
batches                403    403    200    200    403    200    200    200    200    403    200    403    login
batch                  403    403    200    200    403    200    200    200    200    403    404    403    login
batch_split            405    405    405    405    405    405    405    405    405    405    405    405    login
batch_progress         403    403    200    200    403    200    200    200    200    403    404    403    login
sheet                  403    403    200    200    403    404    200    200    200    403    404    403    login
sheet_pdf              403    403    200    200    403    404    200    200    200    403    404    403    login
sheet_xlsx             403    403    200    200    403    404    200    200    200    403    404    403    login
sheet_shares_xlsx      403    403    200    200    403    404    200    200    200    403    404    403    login
sheet_sign             403    403    200    403    403    404    403    403    403    403    403    403    login
sheet_signed_copy      403    403    200    200    403    404    200    200    200    403    404    403    login
sheet_pay              403    403    403    403    403    403    200    200    403    403    404    403    login
sheet_retry            405    405    405    405    405    405    405    405    405    405    405    405    login

notice_public          200    200    200    200    200    200    200    200    200    200    200    200    200
notices                200    200    200    200    200    200    200    200    200    403    200    403    login
notice_new             200    200    200    403    200    200    403    403    403    403    403    403    login
notice                 200    404    200    200    200    404    200    200    200    403    404    403    login
notice_pdf             200    404    200    200    200    404    200    200    200    403    404    403    login
notice_close           405    405    405    405    405    405    405    405    405    405    405    405    login
class_notice_skip      405    405    405    405    405    405    405    405    405    405    405    405    login
notice_photo           200    404    200    200    200    404    200    200    200    403    404    403    login
objection_new          403    403    200    403    403    404    403    403    403    403    403    403    login
objection_settle       403    403    200    403    403    404    403    403    403    403    403    403    login
calendar               200    200    200    200    200    200    200    200    200    403    200    403    login
calendar_record        403    403    403    403    403    403    200    403    403    403    200    403    login

dossiers               200    200    200    200    200    200    200    200    200    403    200    403    login
dossier                200    404    200    200    200    404    200    200    200    403    404    403    login
"""

# An empty form: 200 is the form again, with what is missing. Addresses that only show something answer 405.
POST = """
#                      teache other_ office princi grade_ other_ clerk  head   inspec admin  far_cl idle   strang
email_change           200    200    200    200    200    200    200    200    200    200    200    200    login
demo_clock_advance     302    302    302    302    302    302    302    302    302    302    302    302    login
login                  302    302    302    302    302    302    302    302    302    302    302    302    200
logout                 302    302    302    302    302    302    302    302    302    302    302    302    login
password_change        200    200    200    200    200    200    200    200    200    200    200    200    login

person_create          403    403    403    403    403    403    403    403    403    200    403    403    login
person_appoint         403    403    403    403    403    403    403    403    403    200    403    403    login
person_reset_password  403    403    403    403    403    403    403    403    403    200    403    403    login
person_disable         403    403    403    403    403    403    403    403    403    302    403    403    login
person_enable          403    403    403    403    403    403    403    403    403    302    403    403    login
appointment_end        403    403    403    403    403    403    403    403    403    200    403    403    login
appointment_deputy     403    403    403    403    403    403    403    403    403    200    403    403    login
hand_over_new          403    403    403    403    403    403    403    403    403    200    403    403    login
hand_over              403    403    403    403    403    403    403    403    403    200    403    403    login
audit_verify           403    403    403    403    403    403    403    302    302    403    403    403    login

verify                 200    200    200    200    200    200    200    200    200    200    200    200    200

school_add             403    403    403    403    403    403    200    403    403    403    200    403    login
classes                405    405    405    405    405    405    405    405    405    405    405    405    login
class_edit             403    403    200    403    403    404    200    403    403    403    404    403    login
school_edit            403    403    403    403    403    403    200    403    403    403    404    403    login
category_add           403    403    403    403    403    403    200    403    403    403    200    403    login
category_end           403    403    403    403    403    403    200    403    403    403    200    403    login
term_add               403    403    403    403    403    403    200    403    403    403    200    403    login
term_edit              403    403    403    403    403    403    200    403    403    403    200    403    login
rollover_many          403    403    302    403    403    302    302    403    403    403    302    403    login
rollover_plan          403    403    200    403    403    404    200    403    403    403    404    403    login
rollover_undo          403    403    302    403    403    404    302    403    403    403    404    403    login
pupil_find             302    302    302    302    302    302    302    302    302    403    302    403    login
account_verify         403    404    302    403    403    404    403    403    403    403    403    403    login
id_correct             403    403    403    403    403    404    200    403    403    403    404    403    login
staff_account_add      403    403    200    403    403    200    200    403    403    403    200    403    login
staff_account_import   403    403    200    403    403    200    200    403    403    403    200    403    login
# The officer has taken it away when the clerk comes.
staff_account_remove   403    403    302    403    403    404    404    403    403    403    404    403    login
pupil_reveal           403    403    200    403    403    404    200    403    403    403    404    403    login
account_change         403    404    200    403    403    404    403    403    403    403    403    403    login
boarding_change        200    404    200    403    403    404    200    403    403    403    404    403    login
change_new             403    404    200    403    403    404    200    403    403    403    404    403    login
change_transfer        403    403    403    403    403    404    200    403    403    403    404    403    login
transfer_in            403    403    200    403    403    200    200    403    403    403    200    403    login
transfer_in_class      403    403    302    403    403    302    302    403    403    403    302    403    login
class_changes          200    404    200    403    403    404    403    403    403    403    404    403    login
change_end_waiting     403    403    403    403    403    404    302    403    403    403    404    403    login
change_report_dismiss  403    403    302    403    403    404    302    403    403    403    404    403    login
follow_up_settle       403    403    403    403    403    403    200    200    403    403    404    403    login
attendance             403    403    403    403    403    403    200    403    403    403    200    403    login
change_rules           403    403    403    403    403    403    200    403    403    403    200    403    login
circumstance_add       200    404    200    403    403    404    403    403    403    403    403    403    login
circumstance_end       200    404    200    403    403    404    403    403    403    403    403    403    login
roster_import_new      403    403    200    403    403    200    200    403    403    403    200    403    login
roster_import_apply    403    403    302    403    403    404    302    403    403    403    404    403    login
roster_import_discard  403    403    302    403    403    404    302    403    403    403    404    403    login
roster_import_cancel   403    403    302    403    403    404    302    403    403    403    404    403    login
roster_ask_again       403    403    302    403    403    404    302    403    403    403    404    403    login
roster_columns         403    403    200    403    403    404    200    403    403    403    404    403    login

list_profiles_load     403    403    403    403    403    403    302    403    403    403    302    403    login
lists_match_again      403    403    403    403    403    403    302    403    403    403    302    403    login
list_upload            403    403    403    403    403    403    200    403    403    403    200    403    login
list_take              403    403    403    403    403    403    302    403    403    403    404    403    login
list_discard           403    403    403    403    403    403    302    403    403    403    404    403    login
list_decide            403    403    302    403    403    404    302    403    403    403    404    403    login
rechecks               403    403    302    403    403    302    302    403    403    403    302    403    login
recheck                403    403    200    403    403    404    200    403    403    403    404    403    login
list_sources           403    403    403    403    403    403    302    403    403    403    302    403    login
list_profile_add       403    403    403    403    403    403    200    403    403    403    200    403    login
list_profile_edit      403    403    403    403    403    403    200    403    403    403    404    403    login

programme_add          403    403    403    403    403    403    200    403    403    403    200    403    login
programme_edit         403    403    403    403    403    403    200    403    403    403    200    403    login
programme_switch       403    403    403    403    403    403    200    403    403    403    200    403    login
ground_add             403    403    403    403    403    403    200    403    403    403    200    403    login
ground_end             403    403    403    403    403    403    200    403    403    403    200    403    login
process_rule_add       403    403    403    403    403    403    200    403    403    403    200    403    login
standard_add           403    403    403    403    403    403    200    403    403    403    200    403    login
standard_end           403    403    403    403    403    403    200    403    403    403    200    403    login
share_add              403    403    403    403    403    403    200    403    403    403    200    403    login
share_end              403    403    403    403    403    403    200    403    403    403    200    403    login
pack_adopt             403    403    403    403    403    403    302    403    403    403    302    403    login
percentage_add         403    403    403    403    403    403    200    403    403    403    200    403    login
percentage_end         403    403    403    403    403    403    200    403    403    403    200    403    login
exclusion_add          403    403    403    403    403    403    200    403    403    403    200    403    login
exclusion_end          403    403    403    403    403    403    200    403    403    403    200    403    login
stage_ages_add         403    403    403    403    403    403    200    403    403    403    200    403    login
screening_ask          403    403    302    403    403    302    302    403    403    403    302    403    login
concerns_settle        403    403    302    403    403    302    302    403    403    403    302    403    login
concern_reason_add     403    403    403    403    403    403    200    403    403    403    200    403    login
concern_reason_end     403    403    403    403    403    403    200    403    403    403    200    403    login
concern                403    404    200    403    403    404    200    403    403    403    404    403    login
concern_reopen         403    403    403    403    403    404    200    403    403    403    404    403    login
round_open             403    403    200    403    403    200    200    403    403    403    200    403    login
round_window           403    403    403    403    403    403    200    403    403    403    404    403    login
round_progress         405    405    405    405    405    405    405    405    405    405    405    405    login
form_rules             403    403    403    403    403    403    200    403    403    403    200    403    login
declaration            405    405    405    405    405    405    405    405    405    405    405    405    login
declaration_edit       200    404    200    403    403    404    403    403    403    403    403    403    login
declaration_paper      405    405    405    405    405    405    405    405    405    405    405    405    login
declaration_sign       200    404    200    403    403    404    403    403    403    403    403    403    login
signed_form            405    405    405    405    405    405    405    405    405    405    405    405    login
class_forms            200    404    200    403    403    404    403    403    403    403    404    403    login
deadline_rules         403    403    403    403    403    403    200    403    403    403    200    403    login
quotas                 404    404    200    403    403    404    403    403    403    403    404    403    login
quota_receive          403    403    403    403    403    403    200    403    403    403    404    403    login
quota_reduce           403    403    200    403    403    404    403    403    403    403    404    403    login
outside_quota          403    403    403    403    403    403    200    403    403    403    200    403    login
outside_quota_end      403    403    403    403    403    403    200    403    403    403    200    403    login
round_withdraw         403    403    403    403    403    403    302    403    403    403    404    403    login
class_file             302    404    403    403    403    403    403    403    403    403    403    403    login
class_file_rows        200    404    403    403    403    403    403    403    403    403    403    403    login
class_papers           200    404    403    403    403    403    403    403    403    403    403    403    login
class_receipts         200    404    403    403    403    403    403    403    403    403    403    403    login
class_review           200    404    200    403    200    404    403    403    403    403    403    403    login
class_review_sheet     405    405    405    405    405    405    405    405    405    405    405    405    login
meeting_minutes        200    404    200    200    200    404    200    200    200    403    404    403    login
meeting_sign           200    404    200    403    200    404    403    403    403    403    403    403    login
signed_minutes         405    405    405    405    405    405    405    405    405    405    405    405    login
school_review          404    404    200    403    403    404    403    403    403    403    403    403    login
school_review_sheet    405    405    405    405    405    405    405    405    405    405    405    405    login
class_evidence         403    403    200    403    403    404    403    403    403    403    403    403    login
quota_over             403    403    200    403    403    404    403    403    403    403    403    403    login
school_confirm         403    403    403    200    403    403    403    403    403    403    403    403    login
check_rules            403    403    403    403    403    403    200    403    403    403    200    403    login
school_check           404    404    200    403    403    404    403    403    403    403    404    403    login
ledger                 405    405    405    405    405    405    405    405    405    405    405    405    login
ledger_school          405    405    405    405    405    405    405    405    405    405    405    405    login
ledger_sheet           405    405    405    405    405    405    405    405    405    405    405    405    login
ledger_full            403    403    200    403    403    404    200    403    403    403    404    403    login
recognition_rechecks   404    404    200    403    403    404    403    403    403    403    404    403    login
recognition            403    404    200    403    403    404    403    403    403    403    404    403    login
recognition_evidence   405    405    405    405    405    405    405    405    405    405    405    405    login
tier_wordings          403    403    403    403    403    403    200    403    403    403    200    403    login
school_report          403    403    302    403    403    404    403    403    403    403    403    403    login
school_verify          403    403    403    403    403    403    200    403    403    403    404    403    login
school_approve         403    403    403    403    403    403    403    200    403    403    403    403    login
batch_make             403    403    403    403    403    403    200    403    403    403    404    403    login
kinship_say            302    404    302    302    302    404    302    302    403    403    404    403    login
application_withdraw   200    404    403    403    403    403    403    403    403    403    403    403    login
batch_split            403    403    403    403    403    403    302    403    403    403    404    403    login
sheet_sign             403    403    200    403    403    404    403    403    403    403    403    403    login
sheet_pay              403    403    403    403    403    403    200    200    403    403    404    403    login
sheet_retry            403    403    403    403    403    403    302    403    403    403    404    403    login

notice_public          200    200    200    200    200    200    200    200    200    200    200    200    200
notice_new             200    200    200    403    200    200    403    403    403    403    403    403    login
notice                 302    404    302    302    302    404    302    302    302    403    404    403    login
notice_close           403    404    302    403    403    404    403    403    403    403    403    403    login
class_notice_skip      302    404    302    403    302    404    403    403    403    403    403    403    login
notice_photo           403    404    200    403    403    404    403    403    403    403    404    403    login
objection_new          403    403    200    403    403    404    403    403    403    403    403    403    login
objection_settle       403    403    200    403    403    404    403    403    403    403    403    403    login
calendar_record        403    403    403    403    403    403    200    403    403    403    200    403    login

dossiers               302    302    302    302    302    302    302    302    302    403    302    403    login
dossier                200    404    200    200    200    404    200    200    200    403    404    403    login
"""

# Open to everybody: without sign-in, and on purpose.
PUBLIC = {"login", "session", "healthz", "readyz", "verify", "verify_code", "notice_public"}
# What an inspector may send: themselves in and out, a look through the list, the check of the trail, a copy of a file.
INSPECTOR_MAY_SEND = {"login", "logout", "password_change", "email_change", "verify", "pupil_find", "audit_verify"} | {
    "meeting_minutes",  # issued already; each reading is recorded
    "dossier",
    "dossiers",
    "notice",
    "notice_public",
}
DEMO_ONLY = {"demo_clock_advance"}


def _rows(table: str) -> dict[str, dict[str, str]]:
    lines = [line.split() for line in table.splitlines() if line.strip() and not line.startswith("#")]
    return {name: dict(zip(ROLES, answers, strict=True)) for name, *answers in lines}


EXPECTED_GET, EXPECTED_POST = _rows(GET), _rows(POST)
_SHOWN_ONLY = dict.fromkeys(ROLES, "405")
PATTERNS = {pattern.name: pattern for pattern in named_patterns()}
NAMES = sorted(EXPECTED_GET)


@pytest.fixture(scope="module")
def page(county: County, clients: dict[str, Client]) -> Callable[[str, str], HttpResponse]:
    """`page(name, role)` is what that role gets there; asked for once, looked at by several tests."""

    @functools.cache
    def get(name: str, role: str) -> HttpResponse:
        return ask(clients, role, "get", address(name, county))

    return get


Page = Callable[[str, str], HttpResponse]


def ask(clients: dict[str, Client], role: str, method: str, where: str) -> HttpResponse:
    """One request in the role's browser; what it does to the session stays in this test."""
    browser = Client()
    browser.cookies = copy.deepcopy(clients[role].cookies)
    cache.clear()
    return getattr(browser, method)(where)


def answer(response: HttpResponse) -> str:
    if response.status_code == 302 and response["Location"].startswith("/login/?next="):
        return "login"
    return str(response.status_code)


# --- the matrix -----------------------------------------------------------------------------------


def test_every_address_has_its_row() -> None:
    assert set(PATTERNS) == set(EXPECTED_GET)
    assert set(EXPECTED_POST) <= set(EXPECTED_GET)


@pytest.mark.parametrize("name", NAMES)
def test_get(page: Page, name: str) -> None:
    assert {role: answer(page(name, role)) for role in ROLES} == EXPECTED_GET[name]


@pytest.mark.parametrize("name", NAMES)
def test_post(county: County, clients: dict[str, Client], name: str) -> None:
    """As the table says; whoever is refused has written nothing at all."""
    where, found, wrote = address(name, county), {}, {}
    for role in ROLES:
        with CaptureQueriesContext(connection) as queries:
            found[role] = answer(ask(clients, role, "post", where))
        if found[role] in ("403", "404", "405", "login"):
            wrote[role] = [query["sql"] for query in queries if _writes(query["sql"])]
    expected = EXPECTED_POST.get(name, _SHOWN_ONLY | ({} if name in PUBLIC else {"stranger": "login"}))
    assert found == expected
    assert not any(wrote.values()), wrote


def _writes(sql: str) -> bool:
    return sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))


# --- what follows from it -------------------------------------------------------------------------


def test_only_these_are_open_without_signing_in() -> None:
    open_ = {name for name, pattern in PATTERNS.items() if getattr(pattern.callback, "login_required", True) is False}
    assert open_ == PUBLIC
    assert {name for name, row in EXPECTED_GET.items() if row["stranger"] != "login"} == PUBLIC


def test_every_other_page_declares_who_may_open_it() -> None:
    """By `accounts.access.desk` or `open_to_all`; a view without either would let anybody in who is signed in."""
    silent = [
        name for name, view in PATTERNS.items() if name not in PUBLIC and not hasattr(view.callback, "permissions")
    ]
    assert not silent


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_no_page_takes_another_method(method: str) -> None:
    """Refused before anything else is asked: a view's first decorator says how it may be called."""
    request = RequestFactory().generic(method, "/")
    assert [pattern.name for pattern in named_patterns() if pattern.callback(request).status_code != 405] == []


def test_an_inspector_changes_nothing() -> None:
    may = {name for name, row in EXPECTED_POST.items() if row["inspector"] in ("200", "302")}
    assert may == INSPECTOR_MAY_SEND | DEMO_ONLY


def test_nobody_without_a_post_comes_further_than_the_front_door() -> None:
    may = {name for name, row in EXPECTED_GET.items() if row["idle"] == "200"} - PUBLIC
    assert may == {"home", "waiting", "password_change", "email_change", "roles"}


# --- what may be read on the pages ----------------------------------------------------------------


def shown(response: HttpResponse) -> str:
    """The page as text with its attributes, without the addresses in it (identifiers are no text); "" for files."""
    if not response.get("Content-Type", "").startswith("text/html"):
        return ""
    return unescape(re.sub(r'(?:href|action|src|value|hx-get)="[^"]*"', "", response.content.decode()))


@pytest.mark.parametrize("name", NAMES)
def test_pages_let_out_only_what_is_the_readers(county: County, page: Page, name: str) -> None:
    """No pupil of the first school for the second, the other county, the administrator; no full number for anybody."""
    for role in ROLES:
        text = shown(page(name, role))
        if name not in PUBLIC and role in ("other_officer", "other_teacher", "far_clerk", "admin", "idle", "stranger"):
            assert [pupil for pupil in county.pupils["a"] if pupil in text] == [], role
        if role in ("teacher", "officer", "principal", "far_clerk", "admin", "idle", "stranger"):
            assert [pupil for pupil in county.pupils["b"] if pupil in text] == [], role
        assert not long_number(text), role


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_kept_by_nobody_and_run_no_foreign_script(page: Page, name: str) -> None:
    for role in ROLES:
        response = page(name, role)
        if role != "stranger":
            assert "no-store" in response["Cache-Control"], role
        policy = response["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"


LISTS = ("pupils changes applications dossiers notices batches rosters rounds").split()


@pytest.mark.parametrize("name", LISTS)
def test_lists_and_their_filters_name_only_the_readers_school(page: Page, name: str) -> None:
    """What a filter offers, or a number of hits says, would tell as much as a row."""
    name = "roster_imports" if name == "rosters" else name
    assert "云岭县第一初级中学" not in shown(page(name, "other_officer"))


@pytest.mark.parametrize("name", ["pupils", "applications", "dossiers"])
def test_the_lists_are_not_simply_empty(page: Page, name: str) -> None:
    assert "甲子" in shown(page(name, "officer"))
    assert "乙子" in shown(page(name, "other_officer"))


def test_asking_for_a_name_finds_nothing_elsewhere(county: County, clients: dict[str, Client]) -> None:
    clients["other_officer"].post("/dossiers/", {"q": "甲子"})
    found = ask(clients, "other_officer", "get", "/dossiers/")
    rows = found.context["table"].page.object_list.data
    assert len(rows) == 0
