"""What the class teacher's page knows of each pupil beside the entitlement: brothers and sisters, proofs to ask for."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from accounts import clock
from students import enrolment as register
from students import lists
from students.models import BankAccount, Category, Circumstance, Enrolment

from .models import Application, Programme, Round
from .states import ENDED_WITHOUT_AID, State

# On the road to aid this term: what is said of a brother or sister.
_NOT_FILED = (State.DRAFT, State.RETURNED, State.MOVING, *ENDED_WITHOUT_AID)


@dataclass(frozen=True)
class Wanted:
    """A proof to ask the family for: the pupil's kind of hardship was collected by the school and nothing is scanned.

    `words` is what to ask for; `written` is what was noted of the paper, "" where nothing shows the hardship at all.
    """

    circumstance: UUID
    category: str
    words: str
    written: str


@dataclass
class Beside:
    """Of one pupil: how many brothers and sisters are at school in the county, how many of them were filed for this
    term (of any programme, and no more than that: the other class's list is not shown here), and proofs to ask for."""

    siblings: int = 0
    siblings_filed: int = 0
    wanted: list[Wanted] = field(default_factory=list)

    @property
    def is_unshown(self) -> bool:
        """Whether a kind of hardship stands there that no paper and no words show."""
        return any(not proof.written for proof in self.wanted)


def beside(round_: Round, enrolments: Iterable[Enrolment]) -> dict[UUID, Beside]:
    """What to show beside each pupil, by pupil. A constant number of queries."""
    pupils = [row.pupil_id for row in enrolments]
    found: dict[UUID, Beside] = {pupil: Beside() for pupil in pupils}
    for pupil, proofs in wanted_of(round_.programme, round_.term.key, pupils).items():
        found[pupil].wanted = proofs
    mates = siblings_of(pupils)
    others = {mate for group in mates.values() for mate in group}
    if others:
        places = register.open_only(Enrolment.objects.filter(term=round_.term, pupil__in=others))
        here = set(places.values_list("pupil_id", flat=True))
        cases = Application.objects.filter(term=round_.term, pupil__in=others).exclude(state__in=_NOT_FILED)
        filed = set(cases.values_list("pupil_id", flat=True))
        for pupil, group in mates.items():
            found[pupil].siblings = len(group & here)
            found[pupil].siblings_filed = len(group & here & filed)
    return found


def siblings_of(pupils: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """Who shares a household with each of the pupils on a list in use, or guardian and account. Few queries."""
    keys = list(pupils)
    found = lists.household_mates(keys, clock.today())
    accounts = BankAccount.objects.filter(ends_on__isnull=True).exclude(pupil__guardian_name="")
    own = accounts.filter(pupil__in=keys).values("number_index")
    by_card: dict[tuple[str, str], set[UUID]] = defaultdict(set)
    for index, guardian, pupil in accounts.filter(number_index__in=own).values_list(
        "number_index", "pupil__guardian_name", "pupil_id"
    ):
        by_card[index, guardian].add(pupil)
    for group in by_card.values():
        for pupil in group & set(keys):
            found.setdefault(pupil, set()).update(group - {pupil})
    return {pupil: group for pupil, group in found.items() if group}


def wanted_of(programme: Programme, term_key: str, pupils: Iterable[UUID]) -> dict[UUID, list[Wanted]]:
    """By pupil: proofs to ask for, of the kinds of hardship the programme looks at. What a list says needs none."""
    if programme.recipients == Programme.Recipients.ALL:
        return {}
    accepted = set(programme.accepted.in_force(term_key).values_list("category_code", flat=True))
    today = clock.today()
    kinds = {category.pk: category for category in Category.objects.all()}
    rows = Circumstance.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gte=today),
        pupil__in=list(pupils),
        source=Circumstance.Source.COLLECTED,
        evidence_file__isnull=True,
        category__needs_evidence=True,
        valid_from__lte=today,
    ).order_by("category__rank", "pk")
    found: dict[UUID, list[Wanted]] = defaultdict(list)
    for row in rows:
        category = register.kind_on(kinds[row.category_id], kinds, today)
        if category is not None and category.code in accepted:
            words = category.proof or f"“{category}”的证明"
            found[row.pupil_id].append(Wanted(row.pk, category.name, words, row.evidence))
    return found
