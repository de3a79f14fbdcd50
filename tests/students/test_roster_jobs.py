"""Large rosters as jobs: the row is the job, progress and cancel work in each phase, two clerks may come at once."""

import datetime as dt
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied

from accounts import audit, clock
from accounts.models import AuditRow, Unit
from documents import filestore
from documents.models import Upload
from students import progress, roster_jobs, roster_writing, rosters, table_writing, tasks
from students.models import BankAccount, Enrolment, Pupil, RosterImport, SchoolClass
from tests.cast import Cast
from tests.students.workbooks import HEADERS, pupil, upload, workbook
from tests.together import at_once, meanwhile
from tests.waiting import until

ROWS = 12


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "REQUEST_ROWS", 3)
    monkeypatch.setattr(table_writing, "_AT_ONCE", 4)


def sent_in(cast: Cast, *rows: dict, **options: Any) -> RosterImport:
    rows = rows or tuple(pupil(serial, 班级="9班") for serial in range(1, ROWS + 1))
    file = upload(workbook(*rows, **options))
    return rosters.check_roster(file, unit=cast.school_a, term=cast.term, by=cast.officer_a)


def checked(cast: Cast, *rows: dict, **options: Any) -> RosterImport:
    roster = sent_in(cast, *rows, **options)
    assert roster.state == "uploaded"
    assert roster_jobs.run(roster.pk)
    roster.refresh_from_db()
    return roster


def applying(cast: Cast, *rows: dict, **options: Any) -> RosterImport:
    roster = rosters.apply_roster(checked(cast, *rows, **options), by=cast.officer_a)
    assert roster.state == "applying"
    return roster


def register() -> tuple[int, ...]:
    models = (Pupil, Enrolment, BankAccount, SchoolClass, Unit)
    return tuple(model.objects.count() for model in models)


# The clock of these tests stands in the past of the disk's.
EVER = -(10**9)


@pytest.fixture(autouse=True)
def nothing_of_other_tests(every_file_is_large: None) -> None:
    rosters.sweep_readings(seconds=EVER)
    shutil.rmtree(settings.DATA_DIR / "run" / "jobs", ignore_errors=True)


def readings() -> list[str]:
    return filestore.names("readings", untouched_for=EVER)


def left_files() -> list[str]:
    folder = settings.DATA_DIR / "run" / "jobs"
    return sorted(path.name for path in folder.glob("*")) if folder.exists() else []


# --- the road ----------------------------------------------------------------------------------------


def test_large_file_is_checked_and_imported_by_the_worker(cast: Cast) -> None:
    roster = sent_in(cast)
    assert (roster.state, roster_jobs.waiting()) == ("uploaded", [roster.pk])
    assert tasks.sweep_rosters() == 1
    tasks.run_roster(str(roster.pk))
    roster.refresh_from_db()
    assert (roster.state, roster.rows_new, roster.attempt) == ("checked", ROWS, 1)
    assert not Pupil.objects.exists()
    rosters.apply_roster(roster, by=cast.officer_a)
    tasks.run_roster(str(roster.pk))
    roster.refresh_from_db()
    assert (roster.state, roster.settled_by, roster.applied_by) == ("applied", cast.officer_a, cast.officer_a)
    assert Enrolment.objects.count() == ROWS
    rows = AuditRow.objects.filter(action__startswith="roster.").order_by("number")
    actions = list(rows.values_list("action", flat=True))
    assert actions == ["roster.upload", "roster.check", "roster.begin", "roster.apply"]
    assert left_files() == []


def test_job_sent_twice_works_once(cast: Cast) -> None:
    roster = applying(cast)
    assert roster_jobs.run(roster.pk)
    assert not roster_jobs.run(roster.pk)
    assert AuditRow.objects.filter(action="roster.apply").count() == 1


def test_worker_asks_which_column_is_which(cast: Cast) -> None:
    headers = tuple("码一" if header == "身份证件号" else header for header in HEADERS)
    rows = [{**pupil(serial), "码一": pupil(serial)["身份证件号"]} for serial in range(1, ROWS)]
    roster = sent_in(cast, *rows, headers=headers)
    # The header is read at once, however many rows there are; only the rows wait for a worker.
    if roster.state == "uploaded":
        assert roster_jobs.run(roster.pk)
        roster.refresh_from_db()
    assert roster.state == "needs_mapping"
    roster = rosters.map_columns(roster, {"码一": "id_number"}, by=cast.officer_a)
    assert roster.state == "uploaded"
    assert roster_jobs.run(roster.pk)
    roster.refresh_from_db()
    assert (roster.state, roster.rows_new) == ("checked", ROWS - 1)


def test_file_that_is_no_roster_fails_with_a_sentence(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "REQUEST_BYTES", 0)
    roster = sent_in(cast, headers=("甲", "乙"))
    assert not roster_jobs.run(roster.pk)
    roster.refresh_from_db()
    assert (roster.state, roster.settled_by) == ("failed", None)
    assert "没有找到表头" in roster.failure
    assert AuditRow.objects.filter(action="roster.fail", username="").count() == 1


def test_second_clerk_may_look_but_strangers_may_not_cancel(cast: Cast) -> None:
    roster = sent_in(cast)
    for stranger in (cast.officer_b, cast.teacher_a1, cast.inspector):
        with pytest.raises(PermissionDenied):
            rosters.cancel(roster, by=stranger)
    assert rosters.cancel(roster, by=cast.clerk).state == "cancelled"


# --- progress ----------------------------------------------------------------------------------------


class Watching(progress.Reporter):
    """Notes the phases; does something in one of them."""

    def __init__(self, at: str = "", deed: Callable[[], None] = lambda: None) -> None:
        self.phases: list[str] = []
        self.at, self.deed = at, deed

    def phase(self, name: str, total: int = 0) -> None:
        self.phases.append(name)
        if name == self.at:
            self.deed()


def test_progress_tells_phase_and_rows_while_the_job_runs(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.001)
    seen: list[tuple[str, bool]] = []

    def told(reporter: progress._FileReporter) -> tuple[str, int]:
        return progress.of(reporter.key).phase, progress.of(reporter.key).done

    step = progress._FileReporter.step

    def look(self: progress._FileReporter, done: int) -> None:
        step(self, done)
        until(lambda: told(self) == self.now[:2], otherwise=lambda: (told(self), self.now))  # a beat
        seen.append((progress.of(self.key).phase, progress.of(self.key).is_alive))

    monkeypatch.setattr(progress._FileReporter, "step", look)
    roster = applying(cast)
    assert rosters.progress_of(roster) == progress.Progress()
    roster_jobs.run(roster.pk)
    assert ("与登记的信息比对", True) in seen
    assert ("加密号码", True) in seen
    assert ("写入名册", True) in seen
    assert rosters.progress_of(roster) == progress.Progress()


def test_percent_is_known_when_the_total_is() -> None:
    assert progress.Progress("读取文件", 500, 0).percent is None
    assert progress.Progress("写入名册", 500, 2000).percent == 25


# --- cancel ------------------------------------------------------------------------------------------


def test_waiting_job_is_cancelled_and_never_runs(cast: Cast) -> None:
    roster = rosters.cancel(sent_in(cast), by=cast.officer_a)
    assert (roster.state, roster.settled_by) == ("cancelled", cast.officer_a)
    assert not roster_jobs.run(roster.pk)
    assert left_files() == []


CHECK = ["读取文件", "与登记的信息比对", "保存预检结果"]
IMPORT = ["与登记的信息比对", "加密号码", "写入名册", "写入操作记录"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("verb", "phase"), [*(("check", p) for p in CHECK), *(("import", p) for p in IMPORT)])
def test_cancel_in_each_phase_leaves_nothing_half_done(
    transactional_db: None, cast: Cast, monkeypatch: pytest.MonkeyPatch, verb: str, phase: str
) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.001)
    roster = sent_in(cast) if verb == "check" else applying(cast)
    before, trail = register(), audit.last_number()
    cancelled: list[Callable[[], object]] = []
    reached = progress._FileReporter.phase

    def reach(self: progress._FileReporter, name: str, total: int = 0) -> None:
        if name == phase and not cancelled:
            # From another desk: on SQLite it waits until the worker has let go of the database.
            held = RosterImport.objects.get(pk=roster.pk)
            cancelled.append(meanwhile(lambda: rosters.cancel(held, by=cast.officer_a)))
            until(lambda: progress.is_cancelled(self.key), otherwise=cancelled[0], every=0.001)
        reached(self, name, total)

    monkeypatch.setattr(progress._FileReporter, "phase", reach)
    assert not roster_jobs.run(roster.pk)
    assert cancelled[0]() == roster
    roster.refresh_from_db()
    assert (roster.state, roster.applied_at) == ("cancelled", None)
    assert register() == before
    actions = AuditRow.objects.filter(number__gt=trail).values_list("action", flat=True)
    assert list(actions) == ["roster.cancel"]
    assert audit.verify_chain().broken_at is None
    assert not roster_jobs.run(roster.pk)


def test_cancel_after_the_import_says_that_it_is_too_late(cast: Cast) -> None:
    roster = applying(cast)
    roster_jobs.run(roster.pk)
    with pytest.raises(rosters.RosterAlreadySettled, match="已导入"):
        rosters.cancel(roster, by=cast.officer_a)
    assert left_files() == []


# --- workers that die, or are slow -------------------------------------------------------------------


def test_job_of_a_dead_worker_is_taken_again(cast: Cast) -> None:
    roster = applying(cast)
    assert roster_jobs.claim(roster.pk) == 1
    assert roster_jobs.waiting() == []  # its beat is fresh
    assert roster_jobs.claim(roster.pk) is None
    _silence(roster)
    assert roster_jobs.waiting() == [roster.pk]
    assert roster_jobs.run(roster.pk)
    roster.refresh_from_db()
    assert (roster.state, roster.attempt) == ("applied", 2)


def _silence(roster: RosterImport) -> None:
    """As if the worker had been dead for a while."""
    path = progress._path(roster.pk, "json")
    path.write_text(path.read_text().replace('"at": ', '"at": -'))


def test_slow_worker_whose_job_was_taken_over_undoes_its_work(cast: Cast) -> None:
    roster = applying(cast)
    stale = RosterImport.objects.get(pk=roster.pk)
    assert roster_jobs.claim(roster.pk) == 1
    _silence(roster)
    assert roster_jobs.run(roster.pk)  # the second worker, attempt 2
    before, trail = register(), audit.last_number()
    with pytest.raises(rosters.RosterAlreadySettled):
        roster_jobs._import(stale, 1, progress.SILENT)
    assert (register(), audit.last_number()) == (before, trail)


def test_job_that_kills_its_workers_is_given_up(cast: Cast) -> None:
    roster = applying(cast)
    for _ in range(roster_jobs.MOST_ATTEMPTS):
        assert roster_jobs.claim(roster.pk)
        _silence(roster)
    assert not roster_jobs.run(roster.pk)
    roster.refresh_from_db()
    assert roster.state == "failed"
    assert "什么都没有写入" in roster.failure
    assert roster_jobs.waiting() == []


def test_progress_left_by_a_dead_worker_is_no_sign_of_life(cast: Cast) -> None:
    roster = sent_in(cast)
    progress.touch(roster.pk)
    assert progress.of(roster.pk).is_alive
    progress._path(roster.pk, "json").write_text("{")
    assert not progress.of(roster.pk).is_alive


# --- two at once -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_clerks_importing_the_same_children_at_once(transactional_db: None, cast: Cast) -> None:
    """Both files hold the same children; whoever is second finds them there."""
    rows = [pupil(serial) for serial in range(1, ROWS + 1)]
    jobs = [applying(cast, *rows).pk, applying(cast, *rows, pupil(ROWS + 1)).pk]
    assert at_once(*[lambda key=key: roster_jobs.run(key) for key in jobs]) == [True, True]
    found = {each.pk: each for each in RosterImport.objects.all()}
    assert {each.state for each in found.values()} == {"applied"}
    assert sum(each.rows_new for each in found.values()) == ROWS + 1
    assert sum(each.rows_same for each in found.values()) == ROWS
    assert Pupil.objects.count() == Enrolment.objects.count() == BankAccount.objects.count() == ROWS + 1
    assert audit.verify_chain().broken_at is None


def test_what_moved_between_check_and_import_is_seen(cast: Cast) -> None:
    roster = applying(cast, *[pupil(serial) for serial in range(1, ROWS + 1)])
    rosters.import_roster(
        workbook(pupil(1), pupil(2, 班级="2班")), unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False
    )
    roster_jobs.run(roster.pk)
    roster.refresh_from_db()
    assert (roster.rows_new, roster.rows_changed, roster.rows_same) == (ROWS - 2, 1, 1)


def test_what_moves_while_the_import_is_sealing_is_compared_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [pupil(serial) for serial in range(1, ROWS + 1)]
    prepare = roster_writing.prepare
    others: list[int] = []

    def prepared(plan: Any, **options: Any) -> Any:
        found = prepare(plan, **options)
        if not others:
            others.append(1)
            rosters.import_roster(
                workbook(*rows[:2]), unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False
            )
        return found

    roster = applying(cast, *rows)
    monkeypatch.setattr(roster_writing, "prepare", prepared)
    assert roster_jobs.run(roster.pk)
    roster.refresh_from_db()
    assert (roster.rows_new, roster.rows_same) == (ROWS - 2, 2)
    assert Pupil.objects.count() == ROWS


def test_same_file_once_more_is_settled_without_a_second_look(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [pupil(serial) for serial in range(1, ROWS + 1)]
    roster_jobs.run(applying(cast, *rows).pk)
    again, later = applying(cast, *rows), applying(cast, *rows)
    before = register()
    compared: list[int] = []
    compare = rosters.compare
    monkeypatch.setattr(rosters, "compare", lambda *args, **options: compared.append(1) or compare(*args, **options))
    assert roster_jobs.run(again.pk)
    assert (compared, register()) == ([], before)
    again.refresh_from_db()
    assert (again.state, again.rows_same) == ("applied", ROWS)
    assert AuditRow.objects.filter(action="roster.apply").count() == 2
    # Once the register has moved, the same check says nothing any more.
    monkeypatch.undo()
    rosters.import_roster(
        workbook(pupil(3, 班级="2班")), unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False
    )
    assert roster_jobs.run(later.pk)
    later.refresh_from_db()
    assert (later.rows_changed, later.rows_same) == (1, ROWS - 1)
    assert Enrolment.objects.filter(school_class=cast.class_a1).count() == ROWS


# --- what is kept ------------------------------------------------------------------------------------


def test_reading_is_kept_sealed_and_used_once_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    roster = checked(cast)
    (name,) = readings()
    stored = (settings.FILE_DIR / name).read_bytes()
    assert pupil(1)["身份证件号"].encode() not in stored
    opened: list[int] = []
    monkeypatch.setattr("students.roster_reading.open_workbook", lambda *_: opened.append(1))
    rosters.apply_roster(roster, by=cast.officer_a)
    assert roster_jobs.run(roster.pk)
    assert opened == []
    # Somebody touched it: it is read from the file again.
    (settings.FILE_DIR / name).write_bytes(b"a1:" + stored[:40])
    monkeypatch.undo()
    monkeypatch.setattr(rosters, "REQUEST_ROWS", 3)
    again = sent_in(cast)
    assert roster_jobs.run(again.pk)
    again.refresh_from_db()
    assert (again.state, again.rows_same) == ("checked", ROWS)


def test_discarded_roster_takes_its_reading_along(
    cast: Cast, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    roster = checked(cast)
    with django_capture_on_commit_callbacks(execute=True):
        rosters.discard_roster(roster, by=cast.officer_a)
    assert readings() == []
    assert not Upload.objects.exists()


def test_files_go_weeks_after_the_import_and_its_row_stays(
    cast: Cast, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    roster, waiting = applying(cast), checked(cast, *[pupil(n) for n in range(20, 30)])
    roster_jobs.run(roster.pk)
    assert tasks.sweep_roster_files() == 0
    late = clock.now() - dt.timedelta(days=settings.ROSTER_FILE_DAYS, hours=1)
    RosterImport.objects.filter(pk=roster.pk).update(settled_at=late)
    with django_capture_on_commit_callbacks(execute=True):
        assert tasks.sweep_roster_files() == 1
    roster.refresh_from_db()
    waiting.refresh_from_db()
    assert (roster.state, roster.file, roster.rows_new) == ("applied", None, ROWS)
    assert waiting.file is not None
    assert readings() == [waiting.reading]
    assert rosters.sweep_readings(seconds=EVER) == 1


@pytest.mark.parametrize("state", ["checked", "needs_mapping"])
def test_roster_nobody_decided_about_goes_after_weeks(
    cast: Cast, django_capture_on_commit_callbacks: Callable[..., Any], state: str
) -> None:
    late = clock.now() - dt.timedelta(days=settings.ROSTER_FILE_DAYS, hours=1)
    roster = checked(cast)
    RosterImport.objects.filter(pk=roster.pk).update(checked_at=late, state=state)
    with django_capture_on_commit_callbacks(execute=True):
        assert tasks.sweep_roster_files() == 1
    roster.refresh_from_db()
    assert (roster.state, roster.file, roster.question, roster.findings.count()) == ("discarded", None, None, 0)
    assert not Upload.objects.exists()
    assert readings() == []
    row = AuditRow.objects.get(action="roster.discard")
    assert (row.person, row.username) == ("系统", "")
    assert tasks.sweep_roster_files() == 0
