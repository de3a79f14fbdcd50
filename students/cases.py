"""Which pupils have a case that a change in their schooling would touch.

The register knows no cases. Whoever keeps them says so once, when the program starts (subsidies.apps), and is asked
before a roster changes where a pupil is: such a pupil's change belongs to the desk of 异动, which shows what it does.
"""

from collections.abc import Callable, Collection
from uuid import UUID

from .models import Term
from .table_writing import pieces

# Keys of a few hundred pupils at most → those of them with a case in the term.
Keeper = Callable[[Term, Collection[UUID]], set[UUID]]
_keepers: list[Keeper] = []
_AT_ONCE = 900


def keep(keeper: Keeper) -> None:
    """Ask this keeper from now on. Being told twice changes nothing."""
    if keeper not in _keepers:
        _keepers.append(keeper)


def standing(term: Term, pupils: Collection[UUID]) -> set[UUID]:
    """Those of the pupils who have a case in the term that has not ended without aid."""
    return {pupil for piece in pieces(sorted(pupils), _AT_ONCE) for keeper in _keepers for pupil in keeper(term, piece)}
