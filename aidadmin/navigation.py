"""What stands around every page: the county, the person's posts, and the doors their permissions open."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from accounts import clock
from accounts.models import Unit, User
from accounts.roles import ROLES, Permission
from accounts.scopes import current_appointments, reach

P = Permission

# (group, label, url name, permission; None: every signed-in person)
DOORS: tuple[tuple[str, str, str, Permission | None], ...] = (
    ("", "待办首页", "home", None),
    ("名册", "学生名册", "pupils", P.VIEW_PUPILS),
    ("名册", "名册导入", "roster_imports", P.VIEW_REGISTER),
    ("名册", "学期结转", "rollovers", P.VIEW_REGISTER),
    ("名册", "异动", "changes", P.VIEW_PUPILS),
    ("名册", "比对名单", "lists", P.VIEW_REGISTER),
    ("名册", "教职工账户", "staff_accounts", P.IMPORT_ROSTER),
    ("资助", "资助批次", "rounds", P.VIEW_CASES),
    ("资助", "资助申请", "applications", P.VIEW_CASES),
    ("资助", "逾期情况", "late_work", P.VIEW_CASES),
    ("资助", "认定台账", "ledger", P.VIEW_CASES),
    ("资助", "清查", "concerns", P.VIEW_CASES),
    ("资助", "公示", "notices", P.VIEW_CASES),
    ("资助", "发放批次", "batches", P.VIEW_BATCHES),
    ("资助", "学生档案", "dossiers", P.VIEW_CASES),
    ("规则", "学校", "schools", P.VIEW_CASES),
    ("规则", "项目与标准", "programmes", P.VIEW_CASES),
    ("规则", "困难类别", "categories", P.VIEW_CASES),
    ("规则", "异动规定", "change_rules", P.VIEW_CASES),
    ("规则", "学期", "terms", P.EDIT_CALENDAR),
    ("规则", "工作日历", "calendar", P.VIEW_CASES),
    ("管理", "操作记录", "audit", P.VIEW_AUDIT),
    ("管理", "分人办理", "near_misses", P.VIEW_AUDIT),
    ("管理", "账号与任职", "people", P.MANAGE_ACCOUNTS),
    ("管理", "角色说明", "roles", None),
)


@dataclass(frozen=True)
class Door:
    name: str
    label: str
    url: str
    is_current: bool
    is_exact: bool


@dataclass
class Group:
    title: str
    entries: list[Door]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context of every page. Lazy: a fragment that draws no frame asks the database nothing."""
    user = getattr(request, "user", None)
    return {
        "navigation": SimpleLazyObject(lambda: _groups(user, request.path)),
        "posts": SimpleLazyObject(lambda: current_appointments(user) if user else []),
        "county_name": SimpleLazyObject(lambda: _county_name(user)),
        "find_url": SimpleLazyObject(lambda: _url("pupil_find") if user and reach(user, P.VIEW_PUPILS) else ""),
        "home_url": _url("home"),
        "roles_url": _url("roles"),
        "demo": {"today": clock.today(), "advance_url": _url("demo_clock_advance")} if settings.DEMO else None,
    }


def _groups(user: User | None, path: str) -> list[Group]:
    if user is None or not user.is_authenticated:
        return []
    held = {permission for post in current_appointments(user) for permission in ROLES[post.role].permissions}
    doors = [
        (title, name, label, url)
        for title, label, name, permission in DOORS
        if (permission is None or permission in held) and (url := _url(name))
    ]
    here = max((url for *_, url in doors if _leads_to(url, path)), key=len, default="")
    groups: list[Group] = []
    for title, name, label, url in doors:
        if not groups or groups[-1].title != title:
            groups.append(Group(title, []))
        groups[-1].entries.append(Door(name, label, url, url == here, url == path))
    return groups


def _leads_to(url: str, path: str) -> bool:
    return path == url or (url != _url("home") and path.startswith(url))


def _county_name(user: User | None) -> str:
    """The county the person works in; without one, the only county of the installation."""
    posts = current_appointments(user) if user else []
    if posts:
        return Unit.objects.values_list("name", flat=True).get(pk=posts[0].unit.path.split("/", 1)[0])
    names = Unit.objects.filter(level=Unit.Level.COUNTY).values_list("name", flat=True)[:2]
    return names[0] if len(names) == 1 else ""


def _url(name: str) -> str:
    """The address of a page, or nothing while the page is not there."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
