"""A county roster of 25 columns into the register: ours, the bare cost, and django-import-export, on one file.

`./aid bench register_import --rows=100000` for the figures of a county; each in a process and a database of its own.
Bare cost: python-calamine reads the file, bulk_create writes the same pupils, enrolments and accounts, sealed. Goals:
ours within 3 times the bare cost and at least 10 times as fast as django-import-export, the same file a second time
in under half the time of the first, under 600 MB with the child that reads. The rival gets a budget: after BUDGET
times our time (BENCH_BUDGET) it is stopped, and the pace it had by then says how long it would have gone on.
"""

import contextlib
import datetime as dt
import io
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

ROWS = int(os.environ.get("BENCH_ROWS", "5000"))
GOAL_BARE, GOAL_OTHER, GOAL_AGAIN, GOAL_MB = 3.0, 10.0, 0.5, 600
BUDGET = max(GOAL_OTHER, float(os.environ.get("BENCH_BUDGET", "12")))  # times our time
_MARK_ROWS = 250
SCHOOL_SIZE, CLASS_SIZE = 1000, 50
HEADERS = (
    "姓名 身份证件号 全国学籍号 性别 民族 出生日期 学校名称 学校标识码 年级 班级 就读方式 监护人姓名 与学生关系 "
    "联系电话 开户银行 银行账号 户名 户主与学生关系 家庭住址 户口性质 入学年月 班内学号 学籍辅号 是否留守儿童 备注"
).split()
Timed = dict[str, Any]


# --- the file ------------------------------------------------------------------------------------------


def rows(count: int) -> Iterator[dict[str, str]]:
    """Invented pupils of several schools, by header."""
    from students import fictitious

    for n in range(count):
        sex = "male" if n % 2 else "female"
        born = dt.date(2012, 1, 1) + dt.timedelta(days=n % 700)
        number = fictitious.id_number(n // 700, born=born, sex=sex)
        surname, given = "张王李赵陈"[n % 5], chr(0x4E00 + n % 2000) + chr(0x5000 + n // 7 % 2000)
        school = n // SCHOOL_SIZE
        yield dict(
            zip(
                HEADERS,
                (
                    *(surname + given, number, f"G{number}", "男" if sex == "male" else "女", "汉族", born.isoformat()),
                    *(school_name(school), school_code(school), "七年级", f"{n % SCHOOL_SIZE // CLASS_SIZE + 1}班"),
                    *("寄宿" if n % 3 else "走读", f"{surname}大{given[0]}", "父亲", fictitious.phone_number(n)),
                    *("云岭县农村信用合作联社", fictitious.card_number(n), f"{surname}大{given[0]}", "父亲"),
                    *("城关镇某村某组", "农业", "202409", str(n % 50 + 1), f"F{n:08d}", "否", ""),
                ),
                strict=True,
            )
        )


def school_name(number: int) -> str:
    return f"云岭县第{number + 1}学校"


def school_code(number: int) -> str:
    return f"53539{number + 1:05d}"


def make_file(path: Path, count: int) -> None:
    """One sheet of text cells. Written by hand: openpyxl would take longer than what is measured."""
    from openpyxl import Workbook

    letters = [chr(ord("A") + index) for index in range(len(HEADERS))]
    lines = []
    for number, row in enumerate(itertools.chain([dict(zip(HEADERS, HEADERS, strict=True))], rows(count)), start=1):
        cells = (
            f'<c r="{letter}{number}" t="inlineStr"><is><t>{text}</t></is></c>'
            for letter, text in zip(letters, row.values(), strict=True)
        )
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    sheet = f"{head}<worksheet {space}><sheetData>{''.join(lines)}</sheetData></worksheet>"
    empty = io.BytesIO()
    Workbook().save(empty)
    with zipfile.ZipFile(empty) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else old.read(name))


def make_county(count: int) -> tuple[Any, Any, Any]:
    """The county with its schools, the term, and the clerk."""
    from accounts.models import Appointment, Unit, User
    from students import reference
    from students.models import School, Term

    reference.load()
    county = Unit.objects.create(level="county", name="云岭县")
    for number in range((count - 1) // SCHOOL_SIZE + 1):
        unit = Unit.objects.create(level="school", name=school_name(number), parent=county)
        School.objects.create(unit=unit, code=school_code(number), stages=["junior"])
    clerk = User.objects.create_user("clerk", name="沈经办", must_change_password=False)
    Appointment.objects.create(user=clerk, role="county_clerk", unit=county, starts_on=dt.date(2026, 1, 1))
    return county, Term.objects.order_by("key").first(), clerk


def make_classes(count: int) -> dict[tuple[str, str], Any]:
    """The classes, for the two that do not make them themselves; by school and name."""
    from accounts.models import Unit
    from students.models import SchoolClass

    made = {}
    for school in Unit.objects.filter(level="school"):
        for label in range(1, SCHOOL_SIZE // CLASS_SIZE + 1):
            unit = Unit.objects.create(level="class", name=f"七年级{label}班", parent=school)
            made[school.name, f"{label}班"] = SchoolClass.objects.create(unit=unit, stage="junior", grade="七年级")
    return made


# --- the three -----------------------------------------------------------------------------------------


def bare(path: Path, count: int) -> Timed:
    """Read with python-calamine in this process; objects with sealed numbers, bulk_create in one transaction."""
    import python_calamine
    from django.db import transaction

    from accounts.models import User
    from students import enrolment, names, privacy
    from students.models import BankAccount, Enrolment, Pupil

    county, term, clerk = make_county(count)
    classes = make_classes(count)
    times: Timed = {}

    def read() -> list[list[Any]]:
        sheet = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        return list(sheet.iter_rows())

    def insert(table: list[list[Any]]) -> None:
        headers = table[0]
        with transaction.atomic():
            for start in range(1, len(table), 1000):
                pupils, places, accounts = [], [], []
                for values in table[start : start + 1000]:
                    row = dict(zip(headers, values, strict=True))
                    pupil = Pupil(
                        county=county,
                        name=row["姓名"],
                        initials=names.initials(row["姓名"]),
                        sex="male" if row["性别"] == "男" else "female",
                        birth_date=dt.date.fromisoformat(row["出生日期"]),
                        ethnicity=row["民族"],
                        guardian_name=row["监护人姓名"],
                        guardian_relation=row["与学生关系"],
                    )
                    privacy.set_id(pupil, row["身份证件号"])
                    privacy.set_roll(pupil, row["全国学籍号"])
                    privacy.set_phone(pupil, row["联系电话"])
                    boarding = "boarding" if row["就读方式"] == "寄宿" else "day"
                    school_class = classes[row["学校名称"], row["班级"]]
                    account = BankAccount(
                        pupil=pupil,
                        bank=row["开户银行"],
                        holder=row["户名"],
                        relation="father",
                        starts_on=dt.date(2026, 10, 1),
                        recorded_by=User(pk=clerk.pk),
                    )
                    privacy.set_account(account, row["银行账号"])
                    pupils.append(pupil)
                    places.append(enrolment.begin(pupil, term=term, school_class=school_class, boarding=boarding))
                    accounts.append(account)
                Pupil.objects.bulk_create(pupils)
                Enrolment.objects.bulk_create(places)
                BankAccount.objects.bulk_create(accounts)

    table = _timed(times, "read", read)
    _timed(times, "insert", lambda: insert(table))
    assert Enrolment.objects.count() == count
    return times


def ours(path: Path, count: int) -> Timed:
    """Upload, check by the job, import by the job; then the very same file once more."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from students import roster_jobs, rosters
    from students.models import BankAccount, Enrolment, Pupil, RosterImport

    county, term, clerk = make_county(count)
    rosters.REQUEST_ROWS = rosters.REQUEST_BYTES = 0  # a job, however small the file
    times: Timed = {}
    for turn, expected in (("first", (count, 0)), ("second", (0, count))):
        file = SimpleUploadedFile("全县名册.xlsx", path.read_bytes())
        roster = _timed(
            times, f"{turn} upload", lambda file=file: rosters.check_roster(file, unit=county, term=term, by=clerk)
        )
        _timed(times, f"{turn} check", lambda roster=roster: roster_jobs.run(roster.pk))
        roster = RosterImport.objects.get(pk=roster.pk)
        assert roster.state == "checked", (roster.state, roster.failure)
        assert (roster.rows_new, roster.rows_same) == expected, list(roster.findings.all()[:5])
        rosters.apply_roster(roster, by=clerk)
        _timed(times, f"{turn} import", lambda roster=roster: roster_jobs.run(roster.pk))
        roster.refresh_from_db()
        assert roster.state == "applied", (roster.state, roster.failure)
    assert Pupil.objects.count() == Enrolment.objects.count() == BankAccount.objects.count() == count
    return times


def other(path: Path, count: int) -> Timed:
    """django-import-export as its admin does it: read, dry run, read again, import; a ModelResource of pupils that
    makes enrolment and account, numbers sealed, known pupils found by their blind index.

    With all its documented means for large files: use_bulk, known pupils read at once (CachedInstanceLoader),
    skip_unchanged, no HTML of differences, nothing kept of rows that were skipped; and enrolments and accounts
    in bulk beside its own pupils.
    """
    from import_export import fields, instance_loaders, resources, widgets
    from import_export.formats.base_formats import XLSX

    from students import enrolment, names, numbers, privacy
    from students.models import BankAccount, Enrolment, Pupil

    county, term, clerk = make_county(count)
    classes = make_classes(count)

    class BlindIndex(widgets.CharWidget):
        def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
            return privacy.id_index(value)

    class PupilResource(resources.ModelResource):
        name = fields.Field("name", "姓名")
        sex = fields.Field("sex", "性别")
        birth_date = fields.Field("birth_date", "出生日期")
        ethnicity = fields.Field("ethnicity", "民族")
        guardian_name = fields.Field("guardian_name", "监护人姓名")
        guardian_relation = fields.Field("guardian_relation", "与学生关系")
        id_index = fields.Field("id_index", "身份证件号", widget=BlindIndex())

        class Meta:
            model = Pupil
            fields = ("name", "sex", "birth_date", "ethnicity", "guardian_name", "guardian_relation", "id_index")
            import_id_fields = ("id_index",)
            instance_loader_class = instance_loaders.CachedInstanceLoader
            use_bulk = True
            batch_size = 1000
            skip_unchanged = True
            skip_html_diff = True
            report_skipped = False
            use_transactions = True

        def __init__(self, mark: Callable[[int], None]) -> None:
            super().__init__()
            self.mark, self.places, self.accounts = mark, [], []

        def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
            _, findings = numbers.read_id_number(row["身份证件号"], on=dt.date(2026, 10, 1))
            if findings:
                raise ValueError(findings[0].message)
            row["性别"] = "male" if row["性别"] == "男" else "female"

        def after_init_instance(self, instance: Any, new: bool, row: dict[str, Any], **kwargs: Any) -> None:
            instance.county = county

        def before_save_instance(self, instance: Any, row: dict[str, Any], **kwargs: Any) -> None:
            instance.birth_date = dt.date.fromisoformat(str(row["出生日期"]))
            instance.initials = names.initials(instance.name)
            privacy.set_id(instance, row["身份证件号"])
            privacy.set_roll(instance, row["全国学籍号"])
            privacy.set_phone(instance, row["联系电话"])

        def after_save_instance(self, instance: Any, row: dict[str, Any], **kwargs: Any) -> None:
            is_new = instance._state.adding
            if is_new or not Enrolment.objects.filter(pupil=instance, term=term).exists():
                boarding = "boarding" if row["就读方式"] == "寄宿" else "day"
                school_class = classes[row["学校名称"], row["班级"]]
                place = enrolment.begin(instance, term=term, school_class=school_class, boarding=boarding)
                self.places.append(place)
            number = privacy.account_index(row["银行账号"])
            held = BankAccount.objects.filter(pupil=instance, number_index=number, ends_on=None)
            if is_new or not held.exists():
                account = BankAccount(pupil=instance, bank=row["开户银行"], holder=row["户名"], relation="father")
                account.starts_on, account.recorded_by = dt.date(2026, 10, 1), clerk
                privacy.set_account(account, row["银行账号"])
                self.accounts.append(account)

        def bulk_create(self, *args: Any, **kwargs: Any) -> None:
            super().bulk_create(*args, **kwargs)
            Enrolment.objects.bulk_create(self.places)
            BankAccount.objects.bulk_create(self.accounts)
            self.places, self.accounts = [], []

        def after_import_row(self, row: Any, row_result: Any, **kwargs: Any) -> None:
            self.mark(kwargs["row_number"])

    times: Timed = {}
    content = path.read_bytes()

    def run(phase: str) -> None:
        mark = _Mark(times, phase)
        dataset = XLSX().create_dataset(content)
        mark(0)
        result = PupilResource(mark).import_data(dataset, dry_run=phase == "dry run")
        assert not result.has_errors(), (result.base_errors, result.row_errors()[:1])

    for phase in RIVAL_PHASES:
        _timed(times, phase, lambda phase=phase: run(phase))
    assert Pupil.objects.count() == Enrolment.objects.count() == BankAccount.objects.count() == count
    return times


RIVAL_PHASES = ("dry run", "import")


class _Mark:
    """Writes down how far the rival is, for whoever may have to stop it: wall and processor seconds at each mark."""

    def __init__(self, done: Timed, phase: str) -> None:
        self.path = os.environ.get("BENCH_MARK", "")
        self.done, self.phase, self.read = done, phase, (0.0, 0.0)
        self.wall, self.cpu = time.perf_counter(), _processor()
        self._write(0, (0.0, 0.0))

    def __call__(self, rows: int) -> None:
        if rows % _MARK_ROWS == 0:
            used = (time.perf_counter() - self.wall, _processor() - self.cpu)
            self.read = self.read if rows else used
            self._write(rows, used)

    def _write(self, rows: int, used: tuple[float, float]) -> None:
        if self.path:
            told = {"done": self.done, "phase": self.phase, "rows": rows, "read": self.read, "used": used}
            fresh = Path(f"{self.path}.new")
            fresh.write_text(json.dumps(told))
            fresh.replace(self.path)


CONTENDERS: dict[str, Callable[[Path, int], Timed]] = {"bare": bare, "ours": ours, "other": other}


def _timed(times: Timed, name: str, work: Callable[[], Any]) -> Any:
    """Wall seconds, and processor seconds of this process and its children."""
    wall, cpu = time.perf_counter(), _processor()
    result = work()
    times[name] = (time.perf_counter() - wall, _processor() - cpu)
    return result


def _processor() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


# --- in processes of their own -------------------------------------------------------------------------


def contend(name: str, path: Path, count: int) -> None:
    """One of them in this process, on a new installation; prints what it took as JSON."""
    from benchmarks.__main__ import prepare

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the installation is taken away
    prepare()
    watch = _Watch()
    watch.start()
    times = CONTENDERS[name](path, count)
    watch.stop.set()
    watch.join()
    print(json.dumps({"times": times, "memory": watch.peak}))


class _Watch(threading.Thread):
    """Looks twenty times a second how much memory this process and its children hold together."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.peak = 0

    def run(self) -> None:
        me = psutil.Process()
        while not self.stop.wait(0.05):
            held = 0
            for process in (me, *me.children()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    held += process.memory_info().rss
            self.peak = max(self.peak, held // 1024 // 1024)


# Seconds by the wall, seconds of processor; of the work on PostgreSQL only the wall holds the server's part.
WALL, CPU = 0, 1


def main() -> None:
    """Each contender on SQLite, then on PostgreSQL if there is one.

    BENCH_ONLY names some of the contenders, BENCH_ON one of sqlite and postgresql.
    """
    from tests.services import postgresql

    wanted = os.environ.get("BENCH_ONLY", "").split() or list(CONTENDERS)
    on = os.environ.get("BENCH_ON", "sqlite postgresql").split()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roster.xlsx"
        make_file(path, ROWS)
        print(f"   {ROWS} rows × {len(HEADERS)} columns, {path.stat().st_size / 1e6:.1f} MB", flush=True)
        if "sqlite" in on:
            print("   SQLite, judged by the processor seconds")
            _head()
            found: dict[str, Timed] = {}
            for name in wanted:
                found[name] = _contender(name, path, found, measure=CPU)
            _report(found, measure=CPU)
        if "postgresql" not in on:
            return
        print("   PostgreSQL, judged by the wall (processor seconds of the client only)")
        _head()
        found = {}
        try:
            for name in wanted:
                with postgresql() as url:
                    found[name] = _contender(name, path, found, measure=WALL, BENCH_DATABASE_URL=url)
        except RuntimeError as absent:
            print(f"   PostgreSQL: {absent}")
        else:
            _report(found, measure=WALL)


def _contender(name: str, path: Path, found: dict[str, Timed], *, measure: int, **environment: str) -> Timed:
    command = [sys.executable, "-m", "benchmarks.register_import", name, str(path), str(ROWS)]
    environment = {**os.environ, **environment}
    if name == "other" and "ours" in found:
        most = BUDGET * _total(found["ours"], measure, "first")
        result = _within(command, most, path.with_name("mark.json"), measure=measure, environment=environment)
    else:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
        result = json.loads(done.stdout.splitlines()[-1])
    _tell(name, result)
    return result


def _within(command: list[str], most: float, mark: Path, *, measure: int, environment: dict[str, str]) -> Timed:
    """Let the rival run as long as it has used less than `most` seconds; then end it, and tell how far it came."""
    from aidadmin.processes import die_with_parent

    mark.unlink(missing_ok=True)
    environment["BENCH_MARK"] = str(mark)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent, env=environment)
    peak, last, since = 0, "", (0.0, 0.0)
    try:
        while process.poll() is None:
            time.sleep(0.2)
            now = (time.perf_counter(), _processor_of(process.pid))
            with contextlib.suppress(psutil.NoSuchProcess):
                peak = max(peak, psutil.Process(process.pid).memory_info().rss // 1024 // 1024)
            if not mark.exists():
                continue
            if (text := mark.read_text()) != last:
                last, since = text, now
            told = json.loads(text)
            told["in_all"] = [told["used"][each] + now[each] - since[each] for each in (WALL, CPU)]
            if _total({"times": told["done"]}, measure) + told["in_all"][measure] > most:
                return {"times": told["done"], "memory": peak, "stopped": told}
        answer = process.stdout.read() if process.stdout else ""
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        return json.loads(answer.splitlines()[-1])
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _processor_of(process: int) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(sum(psutil.Process(process).cpu_times()[:4]))
    return 0.0


def _total(result: Timed, measure: int, turn: str = "") -> float:
    return sum(used[measure] for part, used in result["times"].items() if part.startswith(turn))


def _projected(result: Timed, measure: int) -> float:
    """What a rival that was stopped would have taken: each phase reads the file once and goes on at its pace."""
    told = result["stopped"]
    read, used = told["read"][measure], told["used"][measure]
    phase = read + (used - read) / told["rows"] * ROWS
    left = len(RIVAL_PHASES) - RIVAL_PHASES.index(told["phase"]) - 1
    return _total(result, measure) + phase * (1 + left)


def _head() -> None:
    print(f"   {'':36}{'wall s':>9}{'CPU s':>9}{'ms a row':>10}", flush=True)


def _tell(name: str, result: Timed) -> None:
    for part, (wall, cpu) in result["times"].items():
        print(f"   {name:8}{part:28}{wall:9.2f}{cpu:9.2f}{cpu / ROWS * 1000:10.3f}")
    if told := result.get("stopped"):
        (wall, cpu), part = told["in_all"], f"{told['phase']}, stopped at row {told['rows']}"
        print(f"   {name:8}{part:28}{wall:9.2f}{cpu:9.2f}")
    print(f"   {name:8}{'peak memory, with children':28}{result['memory']:6} MB", flush=True)


def _report(found: dict[str, Timed], *, measure: int) -> None:
    print(f"   {'':42}{'by CPU':>8}{'by wall':>9}")
    if "ours" not in found:
        return
    ours_ = found["ours"]
    if "bare" in found:
        ratios = [_total(ours_, each, "first") / _total(found["bare"], each) for each in (CPU, WALL)]
        _judge("first import / bare cost", ratios, GOAL_BARE, measure=measure, at_most=True)
    ratios = [_total(ours_, each, "second") / _total(ours_, each, "first") for each in (CPU, WALL)]
    _judge("second import / first import", ratios, GOAL_AGAIN, measure=measure, at_most=True)
    memory = float(ours_["memory"])
    _judge("peak memory, both processes, MB", [memory, memory], GOAL_MB, measure=measure, at_most=True)
    if "other" in found:
        _judge_rival(found["other"], ours_, measure=measure)


def _judge_rival(other_: Timed, ours_: Timed, *, measure: int) -> None:
    firsts = [_total(ours_, each, "first") for each in (CPU, WALL)]
    told = other_.get("stopped")
    if told is None:
        ratios = [_total(other_, each) / first for each, first in zip((CPU, WALL), firsts, strict=True)]
        _judge("django-import-export / first import", ratios, GOAL_OTHER, measure=measure, at_most=False)
        return
    used = [_total(other_, each) + told["in_all"][each] for each in (CPU, WALL)]
    ratios = [each / first for each, first in zip(used, firsts, strict=True)]
    _judge("django-import-export / first import", ratios, GOAL_OTHER, measure=measure, at_most=False)
    imported = told["rows"] if told["phase"] == RIVAL_PHASES[-1] else 0
    times_ = ratios[0] if measure == CPU else ratios[1]
    pace = ""
    if told["rows"]:
        whole = _projected(other_, measure) / firsts[0 if measure == CPU else 1]
        pace = f"; at that pace {whole:.1f}×"
    print(
        f"   django-import-export: not finished after {times_:.1f}× our time; {told['rows']} of {ROWS} rows of its "
        f"{told['phase']}, {imported} of {ROWS} rows imported{pace}"
    )


def _judge(what: str, ratios: list[float], goal: float, *, measure: int, at_most: bool) -> None:
    """`ratios` by processor and by wall."""
    figure = ratios[0] if measure == CPU else ratios[1]
    kept = figure <= goal if at_most else figure >= goal
    sign = "≤" if at_most else "≥"
    print(f"   {what:42}{ratios[0]:8.2f}{ratios[1]:9.2f}   goal {sign} {goal:g}: {'kept' if kept else 'MISSED'}")


if __name__ == "__main__":
    contend(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
