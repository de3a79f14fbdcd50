"""A file is printed while others may write, and what happens meanwhile is noticed."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from archives import dossiers
from archives.models import Dossier
from documents import pdf
from subsidies.states import State
from tests.cast import walk

pytestmark = pytest.mark.django_db


def meanwhile(monkeypatch: pytest.MonkeyPatch, deed) -> None:
    """Let something happen once, while the file is being printed."""
    render, waiting = pdf.render, [deed]

    def printed(*args, **kwargs):
        if waiting:
            waiting.pop()()
        return render(*args, **kwargs)

    monkeypatch.setattr(pdf, "render", printed)


@pytest.mark.django_db(transaction=True)
def test_printing_holds_no_lock(cast, submitted, monkeypatch):
    seen = []
    meanwhile(monkeypatch, lambda: seen.append(connection.in_atomic_block))
    dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    assert seen == [False]


def test_a_case_that_moves_on_while_it_is_printed_gets_no_stale_file(cast, submitted, monkeypatch):
    meanwhile(monkeypatch, lambda: walk(cast, submitted, State.CLASS_REVIEWED))
    with pytest.raises(ValidationError, match="又有新的进展"):
        dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    assert not Dossier.objects.exists()


def test_of_two_files_printed_at_a_time_the_first_stands(cast, submitted, monkeypatch):
    first = []
    meanwhile(monkeypatch, lambda: first.append(dossiers.compile_dossier(submitted[0], by=cast.officer_a)))
    assert [dossiers.compile_dossier(submitted[0], by=cast.clerk)] == first
    assert Dossier.objects.count() == 1
