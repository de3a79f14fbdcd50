"""复核任务: what changed on a list about a pupil, for the pupil's school to look into.

A difference of two consecutive versions opens a task; so does a list that denies what is on record. Which tasks
there are follows from the versions taken and not from the order in which they came in; what is settled stays.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts import access, audit, clock
from accounts.models import User
from accounts.redaction import redact
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date

from . import enrolment, list_circumstances, lists
from .lists import HELD, Standing
from .models import Category, Circumstance, Enrolment, ListEntry, ListMatch, ListVersion, Pupil, Recheck

Kind, State, Outcome = Recheck.Kind, Recheck.State, Recheck.Outcome
DIFFERENCES = (Kind.CAME, Kind.LEFT, Kind.CHANGED)
_UNSETTLED = (State.OPEN, State.OVERTAKEN)


class RecheckAlreadySettled(ValidationError):
    """Somebody has settled the task already, or a later change has taken its place."""


# --- opening ---------------------------------------------------------------------------------------


def open_differences(
    before: ListVersion | None,
    after: ListVersion,
    *,
    again: Collection[UUID] = (),
    pupil: UUID | None = None,
    by: User,
) -> None:
    """The tasks of `after` against the version before it, brought up to date; settled ones stay as they are.

    The first version of a list differs from nothing: only pupils in `again` (a kind of theirs was ended, and the
    list gives it once more) get a task then. All pupils, or one.
    """
    now_on = _what_is_said(after, pupil) if before or again else {}
    was_on = _what_is_said(before, pupil) if before else {}
    wanted: dict[UUID, str] = {}
    if before:
        for key in now_on.keys() | was_on.keys():
            if key not in was_on:
                wanted[key] = Kind.CAME
            elif key not in now_on:
                wanted[key] = Kind.LEFT
            elif {row["mark"] for row in now_on[key]} != {row["mark"] for row in was_on[key]}:
                wanted[key] = Kind.CHANGED
    else:
        wanted = dict.fromkeys(again, Kind.CAME)
    said = {
        (key, str(kind)): (_shown(was_on.get(key, ())), _shown(now_on.get(key, ()))) for key, kind in wanted.items()
    }
    tasks = Recheck.objects.filter(version=after, kind__in=DIFFERENCES)
    have, stale = set(), []
    for task in tasks.filter(pupil=pupil) if pupil else tasks:
        which = (task.pupil_id, task.kind)
        if task.state == State.SETTLED or said.get(which) == (task.before, task.after):
            have.add(which)
        else:
            stale.append(task.pk)
    Recheck.objects.filter(pk__in=stale).delete()
    _open(((after, *which, *words) for which, words in said.items() if which not in have), by=by)


def question_number(version: ListVersion, pupil: Pupil, lost: Iterable[ListEntry], *, by: User) -> bool:
    """A task: the list named the pupil by the number that was put right. True when there is something to ask.

    There is not when the list says the same of the new number. A number put right once more is asked about again.
    """
    rows = [{name: _of_entry(entry, name) for name in _SAID} for entry in lost]
    now = _what_is_said(version, pupil.pk).get(pupil.pk, [])
    school = _schools_of({pupil.pk}).get(pupil.pk)
    if school is None or {row["mark"] for row in rows} == {row["mark"] for row in now}:
        return False
    fresh = {
        "school_id": school,
        "before": _shown(rows),
        "after": _shown(now),
        "opened_at": clock.now(),
        "opened_by": by,
    }
    unanswered = {"state": State.OPEN, "outcome": "", "note": "", "settled_for": None, "settled_at": None}
    Recheck.objects.update_or_create(
        version=version,
        pupil=pupil,
        kind=Kind.RENUMBERED,
        defaults=fresh | unanswered | {"settled_by": None},
    )
    return True


def overtake(version: ListVersion) -> None:
    """Of each pupil only the latest difference of the list is to be looked into."""
    rows = Recheck.objects.filter(version__profile=version.profile_id, kind__in=DIFFERENCES)
    later = Recheck.objects.filter(
        version__profile=version.profile_id,
        kind__in=DIFFERENCES,
        pupil=OuterRef("pupil"),
        version__as_of__gt=OuterRef("version__as_of"),
    )
    overtaken = rows.filter(Exists(later), state=State.OPEN).values_list("pk", flat=True)
    Recheck.objects.filter(pk__in=list(overtaken)).update(state=State.OVERTAKEN)
    again = rows.exclude(Exists(later)).filter(state=State.OVERTAKEN).values_list("pk", flat=True)
    Recheck.objects.filter(pk__in=list(again)).update(state=State.OPEN)


def open_contradictions(county_id: int, *, by: User) -> None:
    """Tasks for pupils with a kind on record that the lists, taken together, say does not hold.

    They belong to the newest version of the list that denies. What was settled is not asked again as long as that
    list keeps saying the same.
    """
    today = clock.today()
    newest = {key: row for key, row in lists.newest_versions(today).items() if row.profile.county_id == county_id}
    unsettled = Recheck.objects.filter(version__profile__county=county_id, kind=Kind.CONTRADICTED, state__in=_UNSETTLED)
    wanted = {}
    denied = list_circumstances.denied(newest)
    on_record = _open_kinds(denied.keys())
    # Most who are denied a kind do not have it: what else the lists say of them need not be known.
    counts_as = _codes_on(today)
    against_record = {
        pupil for pupil, held in on_record.items() if any(counts_as[kind] in held for kind in denied[pupil])
    }
    for pupil, rows in lists.standing_on_lists(against_record, today).items() if against_record else ():
        against = [row for row in rows if row.denies and row.is_heard and row.category]
        against = [row for row in against if row.category and row.category.code in on_record.get(pupil, {})]
        for row in against[:1]:
            said = [_said(each) for each in rows if each.category == row.category and not each.denies]
            held = on_record[pupil][row.category.code]  # type: ignore[union-attr]
            wanted[row.version_id, pupil] = (said or [_recorded(held)], [_said(each) for each in against])
    answered = _answered(county_id, newest)
    wanted = {
        (version, pupil): (before, after)
        for (version, pupil), (before, after) in wanted.items()
        if not _kinds(after) & answered.get((newest[version].profile_id, pupil), set())
    }
    have = set()
    stale = []
    for task in unsettled:
        key = (task.version_id, task.pupil_id)
        if key in wanted and (task.before, task.after) == wanted[key]:
            have.add(key)
        else:
            stale.append(task.pk)
    Recheck.objects.filter(pk__in=stale).delete()
    _open(
        (
            (newest[version], pupil, Kind.CONTRADICTED, before, after)
            for (version, pupil), (before, after) in wanted.items()
            if (version, pupil) not in have
        ),
        by=by,
    )


def _answered(county_id: int, newest: dict[UUID, ListVersion]) -> dict[tuple[int, UUID], set[str]]:
    """By list and pupil the kinds about whose denial the school has spoken, or is being asked by another task."""
    found: dict[tuple[int, UUID], set[str]] = defaultdict(set)
    profiles = {version.profile_id for version in newest.values()}
    rows = Recheck.objects.filter(version__profile__county=county_id, version__profile__in=profiles)
    spoken = Q(kind=Kind.CONTRADICTED, state=State.SETTLED)
    asked = Q(kind__in=(Kind.CAME, Kind.CHANGED), state__in=(State.OPEN, State.SETTLED))
    for profile, pupil, after in rows.filter(spoken | asked).values_list("version__profile_id", "pupil_id", "after"):
        found[profile, pupil] |= _kinds(row for row in after if row["denies"])
    return found


def _kinds(said: Iterable[dict[str, Any]]) -> set[str]:
    return {row["category"] for row in said}


def _codes_on(day: dt.date) -> dict[int, str]:
    """Of each category the code of the kind it counts as on the day; "" when it counts as none."""
    categories = {category.pk: category for category in Category.objects.all()}
    kinds = {key: enrolment.kind_on(category, categories, day) for key, category in categories.items()}
    return {key: kind.code if kind else "" for key, kind in kinds.items()}


def _open_kinds(pupils: Collection[UUID]) -> dict[UUID, dict[str, Circumstance]]:
    """The kinds each pupil has on record without an end, by what they count as today."""
    categories = {category.pk: category for category in Category.objects.all()}
    found: dict[UUID, dict[str, Circumstance]] = defaultdict(dict)
    for row in Circumstance.objects.filter(pupil__in=list(pupils), valid_to=None).order_by():
        kind = enrolment.kind_on(categories[row.category_id], categories, clock.today())
        if kind:
            row.category = categories[row.category_id]
            found[row.pupil_id][kind.code] = row
    return found


def _open(rows: Iterable[tuple[ListVersion, UUID, str, list, list]], *, by: User) -> None:
    rows = list(rows)
    schools = _schools_of({pupil for _, pupil, *_ in rows})
    now = clock.now()
    tasks = [
        Recheck(
            version=version,
            pupil_id=pupil,
            school_id=schools[pupil],
            kind=kind,
            before=before,
            after=after,
            opened_at=now,
            opened_by=by,
        )
        for version, pupil, kind, before, after in rows
        if pupil in schools  # somebody who has left the county's schools is nobody's task
    ]
    Recheck.objects.bulk_create(tasks, batch_size=500, ignore_conflicts=True)


def _schools_of(pupils: set[UUID]) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    keys = sorted(pupils)
    for start in range(0, len(keys), 1000):
        some = Enrolment.objects.filter(pupil__in=keys[start : start + 1000])
        here = enrolment.open_only(enrolment.current_only(some)).order_by()
        found |= dict(here.values_list("pupil_id", "school_id"))
    return found


_SAID = ("mark", "sheet", "row", "flags", "denies", "category__code", "category__name")


def _of_entry(entry: ListEntry, name: str) -> Any:
    value: Any = entry
    for part in name.split("__"):
        value = getattr(value, part, None)
    return value


def _what_is_said(version: ListVersion, pupil: UUID | None = None) -> dict[UUID, list[dict[str, Any]]]:
    rows = ListMatch.objects.filter(version=version, state__in=HELD).order_by("entry_id")
    if pupil:
        rows = rows.filter(pupil=pupil)
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for key, *values in rows.values_list("pupil_id", *(f"entry__{name}" for name in _SAID)).iterator(chunk_size=5000):
        found[key].append(dict(zip(_SAID, values, strict=True)))
    return found


def _shown(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "category": row["category__code"] or "",
            "name": row["category__name"] or "",
            "denies": row["denies"],
            "flags": row["flags"],
            "sheet": row["sheet"],
            "row": row["row"],
        }
        for row in rows
    ]


def _said(standing: Standing) -> dict[str, Any]:
    return {
        "category": standing.category.code if standing.category else "",
        "name": standing.category.name if standing.category else "",
        "denies": standing.denies,
        "flags": standing.flags,
        "sheet": standing.sheet,
        "row": standing.row,
        "list": f"{standing.list_name} {standing.as_of.isoformat()}",
    }


def _recorded(held: Circumstance) -> dict[str, Any]:
    return {
        "category": held.category.code,
        "name": held.category.name,
        "denies": False,
        "flags": {},
        "sheet": "",
        "row": 0,
        "list": f"学生名册登记（{held.get_source_display()}）",
    }


def in_words(said: list[dict[str, Any]]) -> str:
    """What a list said of a pupil, for the page: “农村低保” (残疾等级：三级); or that it said nothing."""
    return "；".join(dict.fromkeys(_row_in_words(row) for row in said)) or "不在名单上"


def _row_in_words(row: dict[str, Any]) -> str:
    word = f"“{row['name']}”" if row["name"] else "不涉及困难类别"
    if row["denies"]:
        word = f"不再属于{word}"
    flags = "，".join(f"{name}：{text}" for name, text in row["flags"].items())
    origin = f"{row['list']}：" if row.get("list") else ""
    return f"{origin}{word}（{flags}）" if flags else f"{origin}{word}"


def entry_in_words(entry: ListEntry) -> str:
    """As `in_words`, for one entry with its category."""
    name = entry.category.name if entry.category else ""
    return _row_in_words({"name": name, "denies": entry.denies, "flags": entry.flags})


# --- settling --------------------------------------------------------------------------------------


@dataclass
class Effects:
    """What settling a task will do to the pupil's record; both empty: nothing but the answer is kept."""

    ends: list[Circumstance] = field(default_factory=list)
    gives: list[Standing] = field(default_factory=list)

    @property
    def needs_day(self) -> bool:
        return bool(self.ends or self.gives)


def effects_of(task: Recheck, outcome: str) -> Effects:
    """What settling with this outcome would end or begin.

    Confirmed: kinds found by comparison that the lists no longer give end, kinds they give and nobody has on record
    begin. A newcomer found to be there by mistake: what the list gave ends. Papers the school collected itself are
    never touched by a list.
    """
    if outcome == Outcome.MOVED or (outcome == Outcome.MISTAKEN and task.kind != Kind.CAME):
        return Effects()
    today = clock.today()
    categories = {category.pk: category for category in Category.objects.all()}
    standings = lists.standing_on_lists([task.pupil_id], today).get(task.pupil_id, [])
    if outcome == Outcome.MISTAKEN:
        standings = [row for row in standings if row.version_id != task.version_id]
    given = {row.category.code: row for row in standings if row.category and row.gives(today)}
    spoken_of = _kinds(task.before) | _kinds(task.after)
    if outcome == Outcome.MISTAKEN:  # what the list gave: a kind that it wrongly denies stays
        spoken_of = _kinds(row for row in task.after if not row["denies"])
    in_force = Q(valid_to=None) | Q(valid_to__gte=today)
    held = Circumstance.objects.filter(in_force, pupil=task.pupil_id).select_related("category", "pupil")
    found = Effects()
    on_record = set()
    for row in held:
        kind = enrolment.kind_on(categories[row.category_id], categories, today)
        code = kind.code if kind else row.category.code
        is_matched = row.source == Circumstance.Source.MATCHED
        if not (is_matched and code in given and _reaches_beyond(given[code], row)):
            on_record.add(code)
        is_matched = is_matched and row.valid_to is None
        if outcome == Outcome.MISTAKEN:  # only what came with this version, not what was known before
            is_matched = is_matched and row.valid_from >= task.version.as_of
        if is_matched and {code, row.category.code} & spoken_of and code not in given:
            found.ends.append(row)
    if outcome == Outcome.CONFIRMED:
        found.gives = [row for code, row in given.items() if code in spoken_of and code not in on_record]
    return found


def _reaches_beyond(standing: Standing, held: Circumstance) -> bool:
    """Whether the list gives the kind for longer than it is on record."""
    return held.valid_to is not None and (standing.valid_to is None or standing.valid_to > held.valid_to)


def is_elsewhere(task: Recheck) -> bool:
    """Whether another school has the pupil now: the record and what the lists say are no longer the task's school's."""
    return enrolment.current(task.pupil).school_id != task.school_id


def asked_alike(task: Recheck) -> list[Recheck]:
    """Open tasks of the pupil that the answer to this one answers too: whether the same kind still holds.

    One list no longer names the pupil while another denies the kind: two tasks, one thing to find out.
    """
    asks = _takes_back(task)
    others = Recheck.objects.filter(pupil=task.pupil_id, school=task.school_id, state=State.OPEN).exclude(pk=task.pk)
    rows = others.select_related("version__profile", "school").order_by("pk") if asks else []
    return [row for row in rows if _takes_back(row) and _takes_back(row) <= asks]


def _takes_back(task: Recheck) -> set[str]:
    """The kinds of which the task asks whether they still hold; empty when it asks about something else as well."""
    if task.kind == Kind.RENUMBERED:
        return set()
    rows = [row for row in (task.before if task.kind == Kind.LEFT else task.after) if row["category"]]
    is_plain = all(row["denies"] != (task.kind == Kind.LEFT) for row in rows)
    return _kinds(rows) if is_plain else set()


@transaction.atomic
def settle(task: Recheck, *, outcome: str, note: str = "", on: dt.date | None = None, by: User) -> Recheck:
    """The school's answer. `on` is the last day of what ends, the first of what begins; see `effects_of`.

    It settles the tasks of `asked_alike` too. Raises RecheckAlreadySettled the second time, ValidationError when the
    day or the words are missing.
    """
    access.require(by, Permission.SETTLE_CONCERNS, task.school)
    Pupil.objects.select_for_update().get(pk=task.pupil_id)
    task = Recheck.objects.select_for_update(of=("self",)).select_related("version__profile", "school").get(pk=task.pk)
    if task.state != State.OPEN:
        raise RecheckAlreadySettled(f"这项复核{task.get_state_display()}，没有再改动。请刷新页面。")
    if outcome not in Outcome.values:
        raise ValidationError({"outcome": "请选择复核结果。"})
    note = redact(note.strip())[:200]
    if outcome == Outcome.MISTAKEN and not note:
        raise ValidationError({"note": "请写明核实的情况，例如看了什么证明、问了谁。"})
    if outcome == Outcome.MOVED and _hand_over(task, note, by=by):
        return task
    if outcome != Outcome.MOVED and is_elsewhere(task):
        raise ValidationError({"outcome": f"这名学生已不在本校，请选“{Outcome.MOVED.label}”，由现在的学校复核。"})
    effects = effects_of(task, outcome)
    if effects.needs_day:
        if on is None:
            raise ValidationError({"on": "请填写最后一天。" if effects.ends else "请填写从哪一天起。"})
        if on > clock.today():
            raise ValidationError({"on": "日期不能晚于今天。"})
        _carry_out(effects, on=on, by=by)
    for each in [task, *asked_alike(task)]:
        each.state, each.outcome, each.note = State.SETTLED, outcome, note
        each.settled_for = on if effects.needs_day else None
        each.settled_at, each.settled_by = clock.now(), by
        each.save()
        audit.record(
            "recheck.settle",
            each,
            by=by,
            unit=each.school,
            kind=each.kind,
            outcome=outcome,
            on=each.settled_for.isoformat() if each.settled_for else "",
            ended=[row.category.code for row in effects.ends],
            begun=[row.category.code for row in effects.gives if row.category],
        )
    return task


def _hand_over(task: Recheck, note: str, *, by: User) -> bool:
    """Give the task to the school where the pupil is now; False when the pupil is at none of the county's schools."""
    school = _schools_of({task.pupil_id}).get(task.pupil_id)
    if school is None:
        return False
    if school == task.school_id:
        raise ValidationError({"outcome": "名册上这名学生还在本校。请先在学生页办理转出，再选这一项。"})
    audit.record("recheck.hand_over", task, by=by, unit=task.school, kind=task.kind, note=note)
    task.school_id = school
    task.save(update_fields=["school"])
    return True


def _carry_out(effects: Effects, *, on: dt.date, by: User) -> None:
    for row in effects.ends:
        if on < row.valid_from:
            raise ValidationError(
                {"on": f"“{row.category}”从{cn_date(row.valid_from)}起登记，结束日期不能早于这一天。"}
            )
        row.valid_to = on
        row.save(update_fields=["valid_to"])
    for standing in effects.gives:
        assert standing.category is not None
        same = Circumstance.objects.filter(pupil=standing.pupil_id, category=standing.category, valid_to__gte=on)
        last = same.order_by("-valid_to").first()
        is_matched = last is not None and last.source == Circumstance.Source.MATCHED
        if last and is_matched and last.valid_to and last.valid_to >= clock.today():
            last.valid_to = standing.valid_to  # in force still: the list only gives it for longer
            last.save(update_fields=["valid_to"])
            continue
        if last:
            raise ValidationError(
                {"on": f"“{standing.category}”登记到{cn_date(last.valid_to)}为止，新的日期应在这之后。"}
            )
        Circumstance.objects.create(
            pupil_id=standing.pupil_id,
            category=standing.category,
            source=Circumstance.Source.MATCHED,
            evidence=list_circumstances.evidence(standing),
            valid_from=max(on, standing.category.valid_from),
            valid_to=standing.valid_to,
            recorded_by=by,
        )


def confirm_plain(tasks: Iterable[Recheck], *, by: User) -> tuple[int, int]:
    """Confirm those of the tasks that change nothing on record; how many, and how many were left for a closer look."""
    done = left = 0
    answered: set[int] = set()  # together with one before
    for task in tasks:
        if task.pk in answered:
            done += 1
            continue
        if task.state != State.OPEN or effects_of(task, Outcome.CONFIRMED).needs_day:
            left += 1
            continue
        alike = {each.pk for each in asked_alike(task)}
        try:
            settle(task, outcome=Outcome.CONFIRMED, by=by)
        except ValidationError:
            left += 1
        else:
            done += 1
            answered |= alike
    return done, left
