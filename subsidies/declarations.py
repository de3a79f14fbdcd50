"""申请表: which form a programme asks for, what a family declared in a school year, the papers that came back signed.

A declaration is of the pupil and the school year and serves every programme of it; the forms differ in layout only.
Each version is written once: what a family signs is what is on record, and its digest stands on the paper.
"""

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from documents import uploads, vault
from documents.models import Upload
from students import enrolment as register
from students.models import Enrolment, Pupil, Term

from . import declaration_answers
from .declaration_answers import Answers, Member
from .declaration_words import GROUPS, PROMISE, RELATIONS, TITLES
from .models import Application, Declaration, FormRule, Programme, SignedForm
from .states import State

FIRST_TERM = "2023-2024-1"  # of the rules that ship; the register begins with it
_PLACE = "subsidies.declaration.answers"
_NATIONAL = "教财〔2018〕16号《关于做好家庭经济困难学生认定工作的指导意见》附件"
# What a new county begins with: of all programmes, and of those that have a form of their own. (code, layout, source)
_SHIPPED: tuple[tuple[str, str, str], ...] = (
    ("", "recognition", _NATIONAL),
    ("living-aid", "living_aid", "系统预置的通用表式，没有文件依据；请县资助中心按当地文件更改"),
    ("senior-grant", "grant", "系统预置的通用表式，没有文件依据；请县资助中心按当地文件更改"),
)
_LONGEST_AGO = dt.timedelta(days=366)


@dataclasses.dataclass(frozen=True)
class Form:
    """A form to be signed, and the programmes that are applied for with it."""

    rule: FormRule
    programmes: tuple[Programme, ...]


@dataclasses.dataclass(frozen=True)
class Kept:
    """Where a pupil's form stands: the newest version of the year, and the newest signed paper of that version."""

    declaration: Declaration | None = None
    signed: SignedForm | None = None


# --- which form ------------------------------------------------------------------------------------


def load() -> int:
    """Add the rules for which none is recorded, of programmes that are there; how many these were."""
    known = set(FormRule.objects.values_list("programme__code", flat=True))
    programmes = {row.code: row for row in Programme.objects.filter(code__in=[code for code, *_ in _SHIPPED if code])}
    fresh = [
        FormRule(
            programme=programmes.get(code),
            first_term=FIRST_TERM,
            layout=layout,
            title=TITLES[layout],
            promise=PROMISE,
            source=source,
            recorded_at=clock.now(),
        )
        for code, layout, source in _SHIPPED
        if (code or None) not in known and (not code or code in programmes)
    ]
    return len(FormRule.objects.bulk_create(fresh))


def rules_in_force(term: Term) -> list[FormRule]:
    """The newest rule for all programmes, then those of single programmes by their codes. One query."""
    newest: dict[int | None, FormRule] = {}
    for row in FormRule.objects.filter(first_term__lte=term.key).select_related("programme").order_by("first_term"):
        newest[row.programme_id] = row
    return sorted(newest.values(), key=lambda row: row.programme.code if row.programme else "")


def rule_of(programme: Programme, term: Term) -> FormRule | None:
    """The form the programme is applied for with in the term; None where none is filled in."""
    return _rule_for(programme, {row.programme_id: row for row in rules_in_force(term)})


def _rule_for(programme: Programme, rules: Mapping[int | None, FormRule]) -> FormRule | None:
    # What everybody of a stage gets nobody declares a family's income for, unless the county says so.
    usual = None if programme.recipients == Programme.Recipients.ALL else rules.get(None)
    rule = rules.get(programme.pk, usual)
    return None if rule is None or rule.layout == FormRule.Layout.NONE else rule


def forms_for(stage: str, term: Term) -> list[Form]:
    """The forms that pupils of the stage need in the term, each once with its programmes. Two queries."""
    rules = {row.programme_id: row for row in rules_in_force(term)}
    found: dict[int, tuple[FormRule, list[Programme]]] = {}
    for programme in Programme.objects.filter(is_active=True).order_by("code"):
        if stage in programme.stages and (rule := _rule_for(programme, rules)):
            found.setdefault(rule.pk, (rule, []))[1].append(programme)
    return [Form(rule, tuple(programmes)) for rule, programmes in found.values()]


def set_rule(rule: FormRule, *, county: Unit, by: User) -> FormRule:
    """Record which form is used from a term on; a row of the same term is corrected. Versions on record stay.

    Raises ValidationError where a form has no title or promise.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        same = FormRule.objects.select_for_update().filter(programme=rule.programme, first_term=rule.first_term)
        held = same.order_by("pk").first()  # the usual order joins the programme, which may not be there to lock
        before = held.words if held else ""
        if held:
            for name in ("layout", "title", "promise", "asks_village", "source"):
                setattr(held, name, getattr(rule, name))
            rule = held
        rule.recorded_at, rule.recorded_by = clock.now(), by
        rule.full_clean()
        try:
            with transaction.atomic():
                rule.save()
        except IntegrityError:
            raise ValidationError("这条规定刚刚已有人登记，请刷新页面。") from None
        audit.record(
            "form_rule.set",
            rule,
            by=by,
            unit=county,
            programme=rule.programme.code if rule.programme else "",
            first_term=rule.first_term,
            before=before,
            after=rule.words,
            basis=rule.source,
        )
    return rule


# --- what a family declared ------------------------------------------------------------------------


def school_year(term: Term) -> str:
    """2026-2027 of the terms 2026-2027-1 and 2026-2027-2."""
    return term.key[:9]


def versions(pupil: Pupil, year: str) -> list[Declaration]:
    """All versions of the pupil's form of the school year, the newest first."""
    return list(Declaration.objects.filter(pupil=pupil, school_year=year).select_related("made_by"))


def newest(pupil: Pupil, year: str) -> Declaration | None:
    return Declaration.objects.filter(pupil=pupil, school_year=year).select_related("made_by").first()


def years_of(pupil: Pupil) -> list[str]:
    """The school years the pupil has a form of, the newest first."""
    return list(
        Declaration.objects.filter(pupil=pupil)
        .order_by("-school_year")
        .values_list("school_year", flat=True)
        .distinct()
    )


def kept_of(
    pupils: Iterable[UUID], year: str, rule: FormRule | None = None, *, school: Unit | None = None
) -> dict[UUID, Kept]:
    """Where each pupil's form of the year stands. Two queries.

    With a rule, signed means the paper of that form. With a school, only what was declared there: a child who has
    left since has a form at the other school that is not this one's business.
    """
    pupils = list(pupils)
    rows = Declaration.objects.filter(pupil__in=pupils, school_year=year)
    if school is not None:
        rows = rows.filter(enrolment__school=school)
    last = {row.pupil_id: row for row in rows.select_related("made_by", "enrolment__school_class").order_by("version")}
    papers = SignedForm.objects.filter(declaration__in=[row.pk for row in last.values()]).order_by("pk")
    if rule is not None:
        papers = papers.filter(layout=rule.layout)
    signed = {row.declaration_id: row for row in papers}
    return {key: Kept(last.get(key), signed.get(last[key].pk) if key in last else None) for key in pupils}


def answers_of(declaration: Declaration) -> Answers:
    """What the family said, unsealed. Whoever shows it to somebody records that with `read`."""
    said = vault.unseal(declaration.answers_sealed, place=_PLACE, key=str(declaration.pk))
    return declaration_answers.from_json(json.loads(said))


def groups_of(facts: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """特殊群体类型: each kind the form asks for, and whether the register says yes."""
    held = {row["code"] for row in facts["categories"]}
    return [(label, bool(held & codes)) for label, codes in GROUPS]


def other_groups_of(facts: Mapping[str, Any]) -> list[str]:
    """The names of the hardship kinds on record that none of the form's groups stands for."""
    named = frozenset().union(*(codes for _, codes in GROUPS))
    return [row["name"] for row in facts["categories"] if row["code"] not in named]


def prefilled(place: Enrolment) -> Answers:
    """What is known already: this year's newest version, else last year's with everybody a year older, else the
    guardian on record. What a family has to say anew each year is left empty."""
    year = school_year(place.term)
    held = newest(place.pupil, year)
    if held:
        return answers_of(held)
    before = Declaration.objects.filter(pupil=place.pupil, school_year__lt=year).first()
    if before:
        said, older = answers_of(before), int(year[:4]) - int(before.school_year[:4])
        members = tuple(
            dataclasses.replace(member, age=member.age + older) if member.age is not None and member.counts else member
            for member in said.members
        )
        return dataclasses.replace(said, members=members, aided="", reason="")
    pupil = place.pupil
    relation = pupil.guardian_relation if pupil.guardian_relation in RELATIONS else ""
    members = (Member(name=pupil.guardian_name, relation=relation),) if pupil.guardian_name else ()
    return Answers(members=members, studying=1)


def facts_for(place: Enrolment) -> dict[str, Any]:
    """What the register answers of the form today; masked numbers only."""
    return facts_of([place])[place.pk]


def facts_of(places: list[Enrolment]) -> dict[UUID, dict[str, Any]]:
    """`facts_for` of many places of one term, by their keys, in seven queries however many there are."""
    found = register.facts_of(places, on=clock.today())
    aid: dict[UUID, list[str]] = {}
    year = school_year(places[0].term) if places else ""
    paid = Application.objects.filter(
        pupil__in=[place.pupil_id for place in places], term__key__startswith=year, state=State.PAID
    )
    for row in paid.select_related("programme", "term").order_by("term__key", "programme__code"):
        aid.setdefault(row.pupil_id, []).append(f"{row.term.name} {row.programme.name} {row.amount} 元")
    for place in places:
        pupil = place.pupil
        found[place.pk] |= {
            "roll_masked": pupil.roll_masked,
            "phone_masked": pupil.phone_masked,
            "id_kind_label": pupil.get_id_kind_display(),
            "aid": aid.get(pupil.pk, []),
        }
    return found


def declare(place: Enrolment, answers: Answers, *, based_on: int, reason: str, by: User) -> Declaration:
    """Keep what the family says as the next version of the school year; unchanged, the version there is stays.

    `based_on` is the version the person had before them (0: none). Raises ValidationError by field for what cannot
    be, without the reason of a change, and when somebody else has kept a version meanwhile; PermissionDenied for who.
    """
    access.require(by, Permission.EDIT_PUPILS, place.school_class)
    if wrong := declaration_answers.faults(answers):
        raise ValidationError({name: [words] for name, words in wrong.items()})
    with transaction.atomic():
        # On the pupil's lock: two desks never write one version.
        pupil = Pupil.objects.select_for_update(of=("self",)).get(pk=place.pupil_id)
        place = register.current(pupil)
        access.require(by, Permission.EDIT_PUPILS, place.school_class)
        year = school_year(place.term)
        before = newest(pupil, year)
        if (before.version if before else 0) != based_on:
            by_whom = f"{before.made_by.name}刚刚保存了第 {before.version} 版" if before else "这份表刚刚有变动"
            raise ValidationError(f"{by_whom}，您填的还没有保存。请在另一个窗口打开最新一版核对，再重新填写。")
        facts = facts_for(place)
        digest = _digest(facts, answers)
        if before and before.digest == digest:
            return before
        if before and not reason.strip():
            raise ValidationError({"reason_of_change": "请写明这次为什么改，例如“家长补报了收入”。"})
        key = uuid4()
        made = Declaration(
            pk=key,
            pupil=pupil,
            school_year=year,
            version=based_on + 1,
            enrolment=place,
            facts=facts,
            answers_sealed=vault.seal(_as_text(answers), place=_PLACE, key=str(key)),
            digest=digest,
            reason=reason.strip() if before else "",
            made_at=clock.now(),
            made_by=by,
        )
        made.save(force_insert=True)
        audit.record("declaration.make", made, by=by, unit=place.school_class, year=year, version=made.version)
    return made


def read(declaration: Declaration, *, by: User) -> Answers:
    """What the family said, for somebody who is about to see it; leaves an audit row. The page asks who may."""
    record("declaration.read", [declaration], by=by)
    return answers_of(declaration)


def record(action: str, declarations: Iterable[Declaration], *, by: User, **facts: object) -> None:
    """Write into the trail what was done with each of the versions."""
    entries = [
        audit.Entry(
            action, each, each.enrolment.school_class, {"year": each.school_year, "version": each.version} | facts
        )
        for each in declarations
    ]
    with transaction.atomic():
        audit.record_all(entries, by=by)


def _as_text(answers: Answers) -> str:
    return json.dumps(declaration_answers.as_json(answers), ensure_ascii=False, sort_keys=True)


def _digest(facts: Mapping[str, Any], answers: Answers) -> str:
    """SHA-256 over what the form says: the day on which the register was asked is no part of it."""
    told = [{name: value for name, value in facts.items() if name != "on"}, declaration_answers.as_json(answers)]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


# --- the signed paper ------------------------------------------------------------------------------


def signed_papers(declarations: Iterable[Declaration]) -> list[SignedForm]:
    """The signed papers of the versions, the newest first."""
    rows = SignedForm.objects.filter(declaration__in=[each.pk for each in declarations])
    return list(rows.select_related("file__uploaded_by", "recorded_by", "declaration"))


def attach_signed(
    declaration: Declaration, rule: FormRule, file: UploadedFile, *, signed_on: dt.date, signer: str, by: User
) -> SignedForm:
    """Keep the scan of the form as it came back signed. The form may have been filled in by hand before it was typed.

    Raises ValidationError for a version that has been followed by another, and for a day that cannot be.
    """
    place = register.current(declaration.pupil)
    access.require(by, Permission.EDIT_PUPILS, place.school_class)
    today = clock.today()
    if signed_on > today:
        raise ValidationError({"signed_on": "签字日期不能晚于今天。"})
    if signed_on < today - _LONGEST_AGO:
        raise ValidationError({"signed_on": "签字日期在一年以前，请核对年份。"})
    if signer not in SignedForm.Signer.values:
        raise ValidationError({"signer": "请选择谁签的字。"})
    with transaction.atomic():
        Pupil.objects.select_for_update(of=("self",)).get(pk=declaration.pupil_id)
        last = newest(declaration.pupil, declaration.school_year)
        assert last is not None
        if last.pk != declaration.pk:
            raise ValidationError(
                f"这是第 {declaration.version} 版的签字页，后来又改成了第 {last.version} 版。"
                f"请打印第 {last.version} 版，签字后再上传。"
            )
        upload = uploads.store(file, kind=Upload.Kind.SIGNED_FORM, unit=place.school, by=by)
        held = SignedForm(
            declaration=declaration,
            title=rule.title,
            layout=rule.layout,
            signed_on=signed_on,
            signer=signer,
            file=upload,
            recorded_at=clock.now(),
            recorded_by=by,
        )
        held.save(force_insert=True)
        audit.record(
            "declaration.sign",
            declaration,
            by=by,
            unit=place.school_class,
            year=declaration.school_year,
            version=declaration.version,
            form=rule.title,
            on=signed_on.isoformat(),
        )
    return held


def read_signed(signed: SignedForm, *, by: User) -> Upload:
    """The scan, for somebody who is about to see it; leaves an audit row. The page asks who may."""
    record("declaration.read_signed", [signed.declaration], by=by, form=signed.title)
    return signed.file
