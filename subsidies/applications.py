"""Filing: which pupils of a class may apply, drafts, submitting."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students import enrolment as register
from students.models import Circumstance, Enrolment, Standing, Term
from students.table_writing import pieces

from . import attendance, programmes, workflow
from .entitlement import Entitlement, Facts, Hardship, entitlement
from .models import Application, DutyHolder, Programme, Receipt, Reckoning, Round, StepTaken
from .states import ENDED_WITHOUT_AID, Duty, State, Step


@dataclass(frozen=True)
class Candidate:
    """One pupil of the class on the filing page: what they would get, and the application there is."""

    enrolment: Enrolment
    facts: dict
    entitlements: dict[str, Entitlement]  # by tier; "" where the programme has no tiers
    application: Application | None
    remark: str = ""  # why it came back or was refused, for who files again
    is_elsewhere: bool = False  # filed already, and going on with the class or school of then; which, is not said
    receipt: Receipt | None = None  # what the guardian answered last

    @property
    def entitlement(self) -> Entitlement:
        """What the chosen tier (or the first that pays) gives; with its sentence when nothing does."""
        chosen = self.application.tier if self.application else ""
        if chosen in self.entitlements:
            return self.entitlements[chosen]
        return next((e for e in self.entitlements.values() if e.is_entitled), next(iter(self.entitlements.values())))

    @property
    def may_file(self) -> bool:
        return (
            self.entitlement.is_entitled
            and not self.is_elsewhere
            and not self.has_declined
            and (self.application is None or self.application.state in (State.DRAFT, State.RETURNED))
        )

    @property
    def has_declined(self) -> bool:
        """Whether the guardian's last word is not to apply."""
        return self.receipt is not None and self.receipt.answer == Receipt.Answer.DECLINES

    @property
    def sentence(self) -> str:
        """Why nothing can be filed, or the sentence of the entitlement."""
        if self.is_elsewhere:
            return ELSEWHERE
        if self.receipt is not None and self.has_declined:
            return declined_words(self.receipt)
        return self.entitlement.sentence


@dataclass(frozen=True)
class Wish:
    """What the teacher asks for one pupil."""

    enrolment: Enrolment
    tier: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Listed:
    """One pupil of the class and the application that stands for the round's programme and term, wherever it is."""

    enrolment: Enrolment
    application: Application | None


ELSEWHERE = "本学期已有申请，由原班级或学校继续办理，不用再填报。"


def declined_words(receipt: Receipt) -> str:
    """What is said of a pupil whose guardian does not want the aid."""
    return f"家长{cn_date(receipt.signed_on)}的回执是“不申请”。家长改变主意的，先登记新的回执，再填报。"


def receipts_of(round_: Round, pupils: Iterable[UUID]) -> dict[UUID, Receipt]:
    """What the pupils' guardians answered last, by pupil. One query."""
    rows = Receipt.objects.filter(round=round_, pupil__in=list(pupils)).order_by("pk")
    return {row.pupil_id: row for row in rows}


def had_before(programme: Programme, pupils: Iterable[UUID], term: Term | None) -> set[UUID]:
    """Which of the pupils have a one-time aid, or are about to, in another term than this (None: in any); nobody, where
    it is not one-time."""
    if programme.unit != Programme.Unit.ONCE:
        return set()
    rows = Application.objects.filter(programme=programme, pupil__in=list(pupils))
    if term is not None:
        rows = rows.exclude(term=term)
    rows = rows.exclude(state__in=(State.DRAFT, State.RETURNED, *ENDED_WITHOUT_AID))
    return set(rows.values_list("pupil_id", flat=True))


def listed(round_: Round, school_class: Unit, *, among: Iterable[UUID] | None = None) -> list[Listed]:
    """Every pupil of the class in the round's term (or those of them that are named by enrolment), by name, with what
    stands for each. Two queries. Who has left the class is not among them."""
    places = Enrolment.objects.filter(school_class=school_class, term=round_.term)
    if among is not None:
        places = places.filter(pk__in=list(among))
    rows = list(
        register.open_only(places).select_related("pupil", "school", "school_class").order_by("pupil__name", "pk")
    )
    cases = Application.objects.filter(
        programme=round_.programme, term=round_.term, pupil__in=[row.pupil_id for row in rows]
    )
    held = {a.pupil_id: a for a in cases.exclude(state__in=ENDED_WITHOUT_AID).select_related("pupil", "enrolment")}
    return [Listed(row, held.get(row.pupil_id)) for row in rows]


def candidates(round_: Round, school_class: Unit, *, among: Iterable[UUID] | None = None) -> list[Candidate]:
    """Every pupil of the class in the round's term (or those named by enrolment), those entitled first. A constant
    number of queries.

    Who has left the class is not among them; who is suspended is, and may not file.
    """
    on_list = listed(round_, school_class, among=among)
    enrolments = [row.enrolment for row in on_list]
    by_pupil = {row.pupil_id: row.pk for row in enrolments}
    held = {row.enrolment.pk: row.application for row in on_list if row.application}
    standing = {key: a for key, a in held.items() if not is_elsewhere(a, round_, school_class)}
    facts = known(round_.programme, round_.term, enrolments, on=clock.today())
    remarks = _remarks(round_, school_class, standing)
    receipts = receipts_of(round_, by_pupil)
    rules = programmes.rules_of(round_.programme)
    tiers = round_.programme.tiers or [""]
    found = [
        Candidate(
            row,
            facts[row.pk],
            {each: _entitled(facts[row.pk], rules, round_, tier=each, on=clock.today()) for each in tiers},
            standing.get(row.pk),
            remarks.get(row.pk, ""),
            row.pk in held and row.pk not in standing,
            receipts.get(row.pupil_id),
        )
        for row in enrolments
    ]
    return sorted(found, key=lambda c: (c.application is None, not c.entitlement.is_entitled))


def _remarks(round_: Round, school_class: Unit, standing: dict[UUID, Application]) -> dict[UUID, str]:
    """By enrolment: the remark with which an application was last returned or refused in this round."""
    answers = {State.RETURNED: "退回意见", State.REJECTED: "本批次曾不予资助"}
    # Also of a case that is about to come here from the class the pupil has left.
    here = {a.pk: key for key, a in standing.items()}
    steps = StepTaken.objects.filter(
        Q(application__school_class=school_class) | Q(application__in=list(here)),
        application__round=round_,
        target__in=answers,
    ).order_by("pk")
    said = {
        here.get(case, enrolment): f"{answers[State(target)]}：{note}"
        for case, enrolment, target, note in steps.values_list(
            "application_id", "application__enrolment_id", "target", "note"
        )
    }
    # Once it is on its way again, the old remark is history.
    done = {key for key, a in standing.items() if a.state not in (State.DRAFT, State.RETURNED)}
    return {key: remark for key, remark in said.items() if key not in done}


def save_drafts(round_: Round, school_class: Unit, wishes: Iterable[Wish], *, by: User) -> list[Application]:
    """Make or change the class's drafts so that they are what the teacher asks for now.

    Drafts of pupils no longer asked for are left alone (withdrawing is its own act). Raises ValidationError
    when the round is not open to the class, a pupil is not on the class's roster of the term, or already has
    an application elsewhere; PermissionDenied when the person decided on one of them (a returned one) before.
    """
    access.require(by, Permission.FILE_APPLICATION, school_class)
    if not round_.unit.contains(school_class):
        raise ValidationError(f"“{round_}”由{round_.unit}开启，不包括{school_class}；请在本校可用的批次中填报。")
    wishes = list(wishes)
    with transaction.atomic():
        places = lock_places(wish.enrolment for wish in wishes)
        standing = lock_standing(round_, places.values())
        _refuse_declined(round_, places.values())
        written = [
            _save_draft(round_, school_class, replace(wish, enrolment=places[wish.enrolment.pk]), standing, by=by)
            for wish in wishes
        ]
        saved = [application for application, _ in written]
        # Who filled it in has filed it, even if a colleague presses "submit".
        workflow.take_duty(saved, Duty.FILING, by=by)
        audit.record_all([audit.Entry(deed, a, school_class) for a, deed in written if deed], by=by)
    return saved


def discard(drafts: Iterable[Application]) -> None:
    """Take (locked) drafts that nobody ever submitted out of the world; the caller writes the trail."""
    keys = [draft.pk for draft in drafts]
    for chunk in pieces(keys, 500):
        # Written once from the moment of submission; the database lets the duty of a mere draft go, and no other.
        duties = DutyHolder.objects.filter(application__in=chunk)
        duties._raw_delete(duties.db)
        Application.objects.filter(pk__in=chunk, state=State.DRAFT).delete()


def file(round_: Round, school_class: Unit, wishes: Iterable[Wish], *, by: User) -> int:
    """Save the class's wishes and hand them to the class review in one go, all or none."""
    with transaction.atomic():
        return submit(save_drafts(round_, school_class, wishes, by=by), by=by)


def submit(applications: Iterable[Application], *, by: User) -> int:
    """Freeze what is known of each pupil today, compute the amount, and hand the list to the class review."""
    with transaction.atomic():
        rows = list(
            Application.objects.select_for_update(of=("self",))
            .filter(pk__in=[a.pk for a in applications])
            .select_related("round__programme", "round__term", "enrolment__pupil", "school_class")
            .order_by("pk")
        )
        for row in rows:
            access.require(by, Permission.FILE_APPLICATION, row.school_class)
        _refuse_moved(rows)
        # What was submitted before stays as it was frozen; the workflow says that it is too late.
        _freeze([row for row in rows if row.state in (State.DRAFT, State.RETURNED)], by=by)
        return workflow.advance_all(rows, Step.SUBMIT, by=by)


def regrade(tiers: Mapping[UUID, str], *, by: User) -> None:
    """Give submitted applications (by key) the tier a review thinks right; facts and amount are frozen anew.

    The caller has asked whether the person may, and holds the applications and their differences locked. Raises
    ValidationError when a pupil gets nothing at that tier.
    """
    rows = list(
        Application.objects.filter(pk__in=list(tiers))
        .select_related("round__programme", "round__term", "enrolment__pupil", "school_class")
        .order_by("pk")
    )
    before = {row.pk: (row.tier, row.amount) for row in rows}
    for row in rows:
        row.tier = tiers[row.pk]
    Application.objects.bulk_update(rows, ["tier"], batch_size=200)
    _freeze(rows, by=by, refuse=True)
    audit.record_all(
        [
            audit.Entry(
                "application.regrade",
                row,
                row.school_class,
                {"from": before[row.pk][0], "to": row.tier, "was": str(before[row.pk][1]), "new": str(row.amount)},
            )
            for row in rows
        ],
        by=by,
    )


def _freeze(rows: list[Application], *, by: User, refuse: bool = False) -> None:
    today = clock.today()
    rounds = {row.round for row in rows}
    rules = {round_.pk: programmes.rules_of(round_.programme) for round_ in rounds}
    facts = {
        round_.pk: known(
            round_.programme,
            round_.term,
            [row.enrolment for row in rows if row.round_id == round_.pk],
            on=today,
        )
        for round_ in rounds
    }
    at, reckonings = clock.now(), []
    for row in rows:
        row.facts = facts[row.round_id][row.enrolment_id]
        found = _entitled(row.facts, rules[row.round_id], row.round, tier=row.tier, on=today)
        row.amount, row.explanation, row.standard_id = found.amount, found.sentence, found.standard
        if refuse and not found.is_entitled:
            asked = f"{row.enrolment.pupil}按“{row.tier}”不能资助"
            raise ValidationError(f"{asked}：{found.sentence}请改为其他等级或退回。")
        if found.amount is not None and found.standard is not None:
            reckonings.append(
                Reckoning(
                    application=row,
                    at=at,
                    by=by,
                    amount=found.amount,
                    sentence=found.sentence,
                    rests_on=sorted(found.rests_on),
                    standard_id=found.standard,
                    document=found.document,
                )
            )
    Application.objects.bulk_update(rows, ["facts", "amount", "explanation", "standard"], batch_size=200)
    Reckoning.objects.bulk_create(reckonings, batch_size=200)
    # What changes left for the payment desk of an amount that has just been reckoned anew is part of it now.
    workflow.replace_differences([row.pk for row in rows], by=by)


def known(programme: Programme, term: Term, enrolments: list[Enrolment], *, on: dt.date) -> dict[UUID, dict]:
    """The facts of the enrolments, with what the programme wants to know beside them."""
    facts = register.facts_of(enrolments, on=on)
    pupils = [row.pupil_id for row in enrolments]
    if had := had_before(programme, pupils, term):
        for row in enrolments:
            facts[row.pk]["had_before"] = row.pupil_id in had
    if counted := attendance.attended(programme, term, pupils):
        for row in enrolments:
            facts[row.pk] |= attendance.as_facts(counted[row.pupil_id])
    return facts


def _refuse_moved(rows: list[Application]) -> None:
    away = [row for row in rows if row.enrolment.standing == Standing.SUSPENDED]
    if away:
        raise ValidationError(f"{len(away)} 名学生正在休学，不能提交申请；复学后再提交。")
    moved = [
        row for row in rows if row.enrolment.school_class_id != row.school_class_id or row.enrolment.ends_on is not None
    ]
    if moved:
        raise ValidationError(f"{len(moved)} 名学生已不在本班名册中，请先撤回其申请，由现在的班级填报。")


def lock_places(enrolments: Iterable[Enrolment]) -> dict[UUID, Enrolment]:
    """The pupils' places as they are now, locked: nobody leaves the class while an application is written.

    Places before applications, as everybody who changes both does it.
    """
    rows = Enrolment.objects.select_for_update(of=("self",)).filter(pk__in=[row.pk for row in enrolments])
    return {row.pk: row for row in rows.select_related("pupil", "school", "school_class").order_by("pk")}


def lock_standing(round_: Round, enrolments: Iterable[Enrolment]) -> dict[UUID, Application]:
    """The applications of these pupils that stand, for the round's programme and term, by pupil; locked, so that a
    draft does not change under a colleague who is submitting it."""
    rows = Application.objects.select_for_update(of=("self",)).filter(
        pupil__in=[e.pupil_id for e in enrolments], programme=round_.programme, term=round_.term
    )
    standing = list(
        rows.exclude(state__in=ENDED_WITHOUT_AID).select_related("school_class", "enrolment").order_by("pk")
    )
    workflow.lock_differences(row.pk for row in standing)  # of those about to be handed in again
    return {row.pupil_id: row for row in standing}


def _refuse_declined(round_: Round, enrolments: Iterable[Enrolment]) -> None:
    by_pupil = {row.pupil_id: row for row in enrolments}
    for pupil, receipt in receipts_of(round_, by_pupil).items():
        if receipt.answer == Receipt.Answer.DECLINES:
            raise ValidationError(f"{by_pupil[pupil].pupil}：{declined_words(receipt)}")


def _save_draft(round_: Round, school_class: Unit, wish: Wish, standing: dict, *, by: User) -> tuple[Application, str]:
    """The draft as asked for, and what to write in the trail: "" if it was so already."""
    row = wish.enrolment
    if row.term_id != round_.term_id or row.school_class_id != school_class.pk:
        raise ValidationError(f"{row.pupil} 不在{school_class}本学期的名册中，请刷新页面。")
    if row.standing != Standing.PRESENT:
        raise ValidationError(f"{row.pupil} {row.get_standing_display()}，不能填报申请，请刷新页面。")
    if wish.tier and wish.tier not in round_.programme.tiers:
        raise ValidationError(f"“{wish.tier}”不是{round_.programme}的困难等级，请从列出的等级中选择。")
    if application := standing.get(row.pupil_id):
        return application, _change_draft(application, wish, round_)
    at = clock.now()
    application = Application(
        round=round_,
        programme=round_.programme,
        term=round_.term,
        pupil=row.pupil,
        enrolment=row,
        school=row.school,
        school_class=row.school_class,
        tier=wish.tier,
        reason=wish.reason,
        filed_at=at,
        filed_by=by,
        changed_at=at,
    )
    try:
        with transaction.atomic():
            application.save(force_insert=True)
    except IntegrityError:
        raise ValidationError(
            f"{row.pupil} 在本学期已有这个项目的申请，不能重复填报。"
            "请在“申请”列表中找到原来的一份接着办理；原来在别的班级的，请联系学校资助专干。"
        ) from None
    return application, "application.draft"


def _change_draft(application: Application, wish: Wish, round_: Round) -> str:
    taken_over = _may_take_over(application, round_)
    if taken_over:
        place = wish.enrolment
        application.enrolment, application.school, application.school_class = place, place.school, place.school_class
        application.place = ""  # one of the class that was left
    if application.round_id != round_.pk or application.school_class_id != wish.enrolment.school_class_id:
        # Where the other application stands is the county's knowledge, not the next school's.
        raise ValidationError(f"{wish.enrolment.pupil} {ELSEWHERE}")
    if application.state not in (State.DRAFT, State.RETURNED):
        raise ValidationError(
            f"{wish.enrolment.pupil} 的申请已经提交（{application.get_state_display()}），不能再改；"
            "如有错误请联系评议人退回。"
        )
    if not taken_over and (application.tier, application.reason) == (wish.tier, wish.reason):
        return ""
    application.tier, application.reason = wish.tier, wish.reason
    application.save(update_fields=["tier", "reason", "enrolment", "school", "school_class", "place"])
    return "application.take_over" if taken_over else "application.change_draft"


def is_elsewhere(application: Application, round_: Round, school_class: Unit) -> bool:
    """Whether the case goes on with another class or round: what it says is theirs to know."""
    is_ours = application.school_class_id == school_class.pk or _may_take_over(application, round_)
    return application.round_id != round_.pk or not is_ours


def _may_take_over(application: Application, round_: Round) -> bool:
    """Whether the class where the pupil is now takes the case over: it came back to a class the pupil has left."""
    place = application.enrolment
    return (
        application.round_id == round_.pk
        and application.state == State.RETURNED
        and (place.ends_on is not None or place.school_class_id != application.school_class_id)
    )


def _entitled(facts: dict, rules, round_: Round, *, tier: str, on: dt.date) -> Entitlement:
    return entitlement(facts_for_rules(facts, tier), rules, term=round_.term.key, term_name=round_.term.name, on=on)


def facts_for_rules(facts: dict, tier: str) -> Facts:
    """The frozen snapshot as the rules read it."""
    return Facts(
        stage=facts["stage"],
        boarding=facts["boarding"],
        tier=tier,
        standing=facts.get("standing", "present"),  # facts frozen before the register knew standings
        grade=facts.get("grade", ""),
        ownership=facts.get("ownership", ""),
        registration=facts.get("registration", ""),
        region=facts.get("region", ""),
        major=facts.get("major", ""),
        schooling=facts.get("schooling", ""),
        boarding_since=dt.date.fromisoformat(since) if (since := facts.get("boarding_since")) else None,
        attended=Decimal(count) if (count := facts.get("attended")) else None,
        presence=facts.get("presence", ""),
        had_before=facts.get("had_before", False),
        hardships=tuple(
            Hardship(
                code=row["code"],
                name=row["name"],
                source=Circumstance.Source(row["source"]).label,
                valid_from=dt.date.fromisoformat(row["valid_from"]),
                valid_to=dt.date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
                evidence=row.get("evidence", ""),
                flags=tuple(sorted(row.get("flags", {}).items())),
            )
            for row in facts["categories"]
        ),
    )
