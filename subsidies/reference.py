"""What a new county begins with: three national programmes, what the screening goes by, usual deadlines.

The programmes come from the pack packs/national.toml with their whole history; the others of that pack, and the
local packs, the county takes over on the page “政策包”. A county whose own documents differ records its own rows:
these are a start, not the law of the place.
"""

import functools

from django.db import transaction

from accounts import audit
from students.reference import KINDS

from . import attendance, checks, concern_reference, deadlines, declarations, pack_loading, packs, recognitions

FIRST_PROGRAMMES = ("living-aid", "preschool-aid", "senior-grant")


@functools.cache
def national() -> packs.Pack:
    """The pack of national rules, with the hardship categories that ship."""
    return packs.read_shipped("national", categories={kind.code: kind.name for kind in KINDS})


@transaction.atomic
def load() -> int:
    """Add the programmes that are not there yet, each with its rules; what an officer changed stays.

    Returns how many were added.
    """
    added = pack_loading.load(national(), only=FIRST_PROGRAMMES).new_programmes
    concern_reference.load()
    deadlines.load()
    declarations.load()
    attendance.load_rule()
    checks.load()
    recognitions.load()
    if added:
        audit.record("reference.load", "subsidies.reference", by=None, programmes=[each.code for each in added])
    return len(added)
