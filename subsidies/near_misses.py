"""近失: who tried to take a second duty on one record and was refused, counted by school from the audit trail."""

import datetime as dt
from dataclasses import dataclass, field

from django.db.models import Count, Max, Q, QuerySet
from django.urls import reverse

from accounts import clock, scopes
from accounts.models import AuditRow, Unit, User
from accounts.roles import Permission
from students import terms

from . import four_eyes, payments
from .states import Duty

ACTIONS = (four_eyes.REFUSED, payments.REFUSED)
_PAYMENT = "登记发放"
_NO_DUTY = {"own_class": "本班班主任", "kin": "说明是亲属"}


@dataclass
class AtSchool:
    """The tries at one school (or at the county's own desk)."""

    unit: Unit
    tries: int = 0
    people: set[str] = field(default_factory=set)
    last_at: dt.datetime | None = None


@dataclass(frozen=True)
class NearMiss:
    """One try in words: who, when, what they wanted and what they had already done."""

    row: AuditRow
    unit: str
    wanted: str
    held: str
    count: int
    acting_for: str  # the name of whoever they acted for, or ""
    url: str  # the case, or the round when the try was over several


def since_term() -> dt.date:
    """The first day of the present term; outside terms, a year ago."""
    term = terms.current()
    return term.starts_on if term else clock.today() - dt.timedelta(days=365)


def rows(user: User, *, since: dt.datetime, until: dt.datetime) -> QuerySet[AuditRow]:
    """The tries within the person's reach, newest first; from a moment up to, not including, another."""
    within = Q(pk__in=[])
    for path in scopes.reach(user, Permission.VIEW_AUDIT):
        within |= Q(unit_path__below=path)
    return AuditRow.objects.filter(within, action__in=ACTIONS, at__gte=since, at__lt=until).order_by("-number")


def by_school(found: QuerySet[AuditRow]) -> list[AtSchool]:
    """Schools with tries, most first."""
    counted = found.order_by().values("unit_path", "username").annotate(n=Count("number"), last=Max("at"))
    groups = list(counted)
    paths = {_school_path(group["unit_path"]) for group in groups}
    units = {unit.path: unit for unit in Unit.objects.filter(path__in=paths)}
    schools: dict[str, AtSchool] = {}
    for group in groups:
        path = _school_path(group["unit_path"])
        at = schools.setdefault(path, AtSchool(units[path]))
        at.tries += group["n"]
        at.people.add(group["username"])
        at.last_at = max(at.last_at, group["last"]) if at.last_at else group["last"]
    return sorted(schools.values(), key=lambda at: (-at.tries, at.unit.path))


def told(found: list[AuditRow]) -> list[NearMiss]:
    """The tries in words. Two queries, whatever their number."""
    paths = {row.unit_path for row in found} | {_school_path(row.unit_path) for row in found}
    names = dict(Unit.objects.filter(path__in=paths).values_list("path", "name"))
    usernames = {row.detail["for"] for row in found if "for" in row.detail}
    people = dict(User.objects.filter(username__in=usernames).values_list("username", "name"))
    return [
        NearMiss(
            row,
            unit=_place(row.unit_path, names),
            wanted=_duty(row.detail.get("duty")) or _PAYMENT,
            held=_held(row),
            count=row.detail.get("count", 1),
            acting_for=people.get(row.detail.get("for", ""), row.detail.get("for", "")),
            url=_address(row.subject),
        )
        for row in found
    ]


def _school_path(path: str) -> str:
    """County and school of a path; the county's own for what is no school's."""
    return "".join(f"{key}/" for key in path.split("/")[:2] if key)


def _place(path: str, names: dict[str, str]) -> str:
    school = _school_path(path)
    return names.get(path, "") if path == school else f"{names.get(school, '')} {names.get(path, '')}"


def _duty(code: str | None) -> str:
    return Duty(code).label if code in Duty.values else ""


def _held(row: AuditRow) -> str:
    if row.action == payments.REFUSED:
        return "编制批次或审过其中的申请"
    held = row.detail.get("held_duty")
    return _NO_DUTY.get(held or "") or _duty(held)


def _address(subject: str) -> str:
    kind, _, key = subject.partition(":")
    page = {"subsidies.application": "application", "subsidies.round": "round", "subsidies.payoutsheet": "sheet"}
    return reverse(page[kind], args=[key]) if kind in page else ""
