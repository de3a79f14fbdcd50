"""Every page that can be reached by a link, as somebody who works there: accessible, and whole on desk and phone.

On the demo county, because there a case stands at every desk.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Browser, expect

from aidadmin.demo import PASSWORD
from subsidies.models import Concern
from tests.looks import PHONE, faults_of

from .installation import Installation
from .person import Person

pytestmark = pytest.mark.slow

# Who looks, in this order; each page is judged once, in the hands of the first who comes to it.
VISITORS = ("ban71", "ban72", "chuzhong", "chuzhong-xz", "jingban", "fuzeren", "ducha", "guanli")
# Pages that lead on to others: everybody opens them, though they are judged once.
HUBS = {
    *("home", "pupils", "pupil", "rounds", "round", "applications", "application", "batches", "batch", "sheet"),
    *("notices", "notice", "roster_imports", "programmes", "programme", "schools", "calendar", "dossiers"),
    *("people", "person", "changes", "change_choose", "rollovers", "concerns", "lists"),
    *("quotas", "outside_quota"),
    *("class_forms", "declaration"),
    "categories",
    *("waiting", "late_work", "round_progress"),
    *("ledger", "ledger_school", "recognition", "school_check"),
}
# How many of one kind are opened to find what they lead to: rounds and cases stand at different desks.
SAME_KIND = {"programme": 3, "round": 2, "application": 2, "notice": 2, "pupil": 2, "declaration": 2}
# Addresses that hand over a file.
FILES = {
    *("roster_template", "roster_findings", "roster_marked", "circumstance_evidence"),
    *("hand_over_paper", "hand_over_signed"),
    *("sheet_pdf", "sheet_xlsx", "sheet_shares_xlsx", "sheet_signed_copy"),
    *("notice_pdf", "notice_photo", "meeting_photo", "class_review_sheet", "school_review_sheet", "signed_minutes"),
    *("unaided_sheet", "rollover_report", "concern_proof", "id_evidence"),
    *("declaration_paper", "signed_form"),
    *("ledger_sheet", "recognition_evidence"),
    "receipt_scan",
}
# Pages the demo's cases must lead to by links alone: if one of these cannot be reached, a door is missing.
PAGES = {
    *("home", "roles", "password_change", "people", "person", "person_create", "person_appoint", "appointment_end"),
    *(
        "audit",
        "schools",
        "school_add",
        "school_edit",
        "classes",
        "class_edit",
        "attendance",
        "pupils",
        "pupil",
        "pupil_reveal",
        "account_change",
    ),
    *("changes", "change", "change_choose", "change_new", "change_transfer", "change_confirmations", "class_changes"),
    *("transfer_in", "follow_ups", "change_rules", "rollovers", "rollover_plan", "stage_ages_add", "exclusion_add"),
    *("lists", "list_version", "list_differences", "list_proposals", "list_sources", "rechecks", "recheck"),
    *("concerns", "concern", "concern_schools", "concern_reasons", "staff_accounts", "terms"),
    *("boarding_change", "circumstance_add", "circumstance_end", "roster_imports", "roster_import_new"),
    *("roster_import", "programmes", "programme", "standard_add", "rounds", "round_open", "round", "round_window"),
    *("round_progress", "deadline_rules", "late_work", "waiting", "email_change", "near_misses"),
    *("appointment_deputy", "hand_over_new"),
    *("declaration", "declaration_edit", "declaration_sign", "class_forms", "form_rules"),
    *("ledger", "ledger_school", "ledger_full", "recognition", "recognition_rechecks", "tier_wordings"),
    *("school_check", "check_rules"),
    *("standard_end", "differences"),
    *("programme_add", "programme_edit", "programme_switch", "ground_add", "ground_end", "process_rule_add"),
    *("categories", "category_add", "category_end"),
    *("share_add", "share_end", "percentage_add", "percentage_end"),
    *("quotas", "quota", "quota_reduce", "quota_receive", "outside_quota", "outside_quota_end"),
    *("class_papers", "class_receipts"),
    *("class_file", "class_review", "class_evidence", "school_review", "school_confirm", "school_verify"),
    *("meeting", "meeting_sign", "applications", "application", "application_withdraw", "batches", "batch", "sheet"),
    *("notices", "notice", "objection_settle", "calendar", "calendar_record", "dossiers", "dossier"),
    *("verify", "verify_code"),
}


@pytest.fixture(scope="module")
def visitor(browser: Browser, demo_county: Installation) -> Iterator[Callable[..., Person]]:
    """`visitor("ban71")`: somebody of the demo county, signed in, at a browser of their own."""
    present: list[Person] = []

    def somebody(username: str, **how: object) -> Person:
        person = Person(browser, demo_county.address, **how)  # type: ignore[arg-type]
        present.append(person.sign_in(username, PASSWORD))
        return person

    yield somebody
    for person in present:
        person.leave()


# --- every page -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(visitor: Callable[..., Person]) -> dict[str, list[str]]:
    """By the name of the page: what is wrong with it."""
    found: dict[str, list[str]] = {}
    for username in VISITORS:
        person = visitor(username)
        # A case that has come as far as the county leads to everything that was recorded on its way.
        waiting, opened = ["/applications/?state=reported"] if username == "chuzhong" else ["/"], Counter[str]()
        while waiting:
            address = waiting.pop(0)
            name = resolve(urlsplit(address).path).url_name
            if name in FILES or opened[name] >= SAME_KIND.get(name, 1) or (name in found and name not in HUBS):
                continue
            opened[name] += 1
            person.open(address)
            if name not in found:
                found[name] = faults_of(person.page)
            waiting += links_on(person)
        person.leave()
    return found


def links_on(person: Person) -> list[str]:
    """Addresses of our own that the page leads to."""
    hrefs = person.page.eval_on_selector_all("a[href^='/']", "all => all.map(each => each.getAttribute('href'))")
    return [href for href in dict.fromkeys(hrefs) if not href.startswith("/static/")]


def test_every_page_has_a_door(judged: dict[str, list[str]]) -> None:
    assert PAGES - set(judged) == set()


def test_every_page_is_accessible_and_fits_desk_and_phone(judged: dict[str, list[str]]) -> None:
    assert {name: faults for name, faults in judged.items() if faults} == {}


def test_the_demo_county_has_an_example_of_every_concern(demo_county: Installation) -> None:
    """And of one that is settled, and one that the county sent back."""
    rows = demo_county.ask("SELECT kind, state, owner_id FROM subsidies_concern")
    assert {kind for kind, _, _ in rows} == set(Concern.Kind.values)
    assert ("missed", "settled") in {row[:2] for row in rows}
    assert demo_county.ask("SELECT 1 FROM accounts_auditrow WHERE action = ?", "concern.reopen")


# --- filing by other means ------------------------------------------------------------------------


def tab_to(person: Person, wanted: str) -> None:
    """Press Tab until the focus is on something called so. Fails when it never comes there."""
    told = (
        "(e => (e.getAttribute('aria-label') || e.innerText || e.value || e.name || '').trim())(document.activeElement)"
    )
    for _ in range(250):
        person.page.keyboard.press("Tab")
        if re.search(wanted, person.page.evaluate(told)):
            return
    raise AssertionError(f"the Tab key never reaches {wanted!r} on {person.page.url}")


def enter(person: Person) -> None:
    with person.page.expect_navigation():
        person.page.keyboard.press("Enter")
    person.look()


def test_the_keyboard_alone_can_file(visitor: Callable[..., Person]) -> None:
    teacher = visitor("ban71")
    teacher.open("/")
    tab_to(teacher, "^跳到正文$")  # the first stop
    for door in ("^资助批次$", "生活补助", "^本班填报$"):
        tab_to(teacher, door)
        enter(teacher)
    tab_to(teacher, "^为.*申请$")
    pupil = teacher.page.evaluate("document.activeElement.getAttribute('aria-label')")[1:-2]
    teacher.page.keyboard.press("Space")
    tab_to(teacher, f"{pupil}的申请理由")
    teacher.page.keyboard.insert_text("父亲常年患病，家庭收入低。")
    tab_to(teacher, "^提交班级评议$")
    enter(teacher)
    teacher.says("已提交 1 名学生的申请")
    expect(teacher.row(pupil)).to_contain_text("待班级评议")


def test_a_phone_without_scripts_can_file(visitor: Callable[..., Person]) -> None:
    teacher = visitor("ban71", viewport=PHONE, java_script_enabled=False, has_touch=True)
    teacher.open("/rounds/")
    teacher.follow(re.compile("生活补助"))
    teacher.follow("本班填报")
    box = teacher.page.get_by_role("checkbox", name=re.compile("^为.*申请$")).last
    pupil = (box.get_attribute("aria-label") or "")[1:-2]
    box.check()
    teacher.page.get_by_label(f"{pupil}的申请理由").fill("家庭收入低。")
    teacher.press("提交班级评议")
    teacher.says("已提交 1 名学生的申请")


def test_an_empty_form_says_what_is_missing_and_takes_one_there(visitor: Callable[..., Person]) -> None:
    officer = visitor("xiaoxue")
    officer.open("/rosters/new/")
    officer.press("上传并预检")
    summary = officer.page.get_by_role("alert").first
    expect(summary).to_contain_text("请选择要上传的文件")
    expect(officer.page.locator("[data-error-summary]")).to_be_focused()  # by a script, a moment after the page
    assert faults_of(officer.page) == []
    summary.get_by_role("link").first.click()
    expect(officer.page).to_have_url(re.compile("#id_file$"))
