"""A list comes in: upload, read, take or give up; and the decisions on who is who.

The row is the job. A small file is read while the person waits; a large one by a worker, which claims the row with a
lease and reports its progress there. Whoever dies in the middle leaves the lease to run out: reading begins again from
nothing, taking is one transaction.
"""

import contextlib
import datetime as dt
import hashlib
import itertools
import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import uploads, vault, workbooks
from documents.models import Upload

from . import (
    enrolment,
    list_circumstances,
    list_matching,
    list_profiles,
    list_reading,
    lists,
    privacy,
    rechecks,
)
from .list_profiles import Layout, Meaning
from .list_reading import ListReader, Person
from .lists import HELD
from .models import Category, ListEntry, ListMatch, ListProfile, ListVersion, Pupil, Recheck
from .table_writing import Columns, insert, update

logger = logging.getLogger(__name__)

AT_ONCE_BYTES = 150_000  # about 3,000 rows: read while the person waits
AT_ONCE_PERSONS = 5_000  # taken while the person waits
LEASE_SECONDS = 120
MOST_ATTEMPTS = 3
_CHUNK = 20_000  # people: fewer commits write the same pages of the index less often
_TRIED = 20  # people shown of a file that is tried out
_DOUBTS = 20  # kept of one file
_READ, _TAKEN = ListVersion.State.READ, ListVersion.State.TAKEN


class ListAlreadySettled(ValidationError):
    """The version has been taken or given up already."""


# --- coming in -------------------------------------------------------------------------------------


def upload(file: UploadedFile, *, profile: ListProfile, as_of: dt.date, by: User) -> ListVersion:
    """Keep the file as a version of the list; read it now if it is small, else leave it to a worker.

    `as_of` is the day of which the list speaks. Raises ValidationError, and keeps nothing, for a file that is no
    workbook, that has come in already, or that the profile cannot read (a large one says so on its page).
    """
    county = profile.county
    access.require(by, Permission.COMPARE_LISTS, county)
    if as_of > clock.today():
        raise ValidationError({"as_of": "数据日期不能晚于今天。"})
    content, _ = uploads.check(file, kind=Upload.Kind.LIST)
    digest = hashlib.sha256(content).hexdigest()
    known = ListVersion.objects.filter(profile=profile, file_sha256=digest)
    known = known.exclude(state__in=(ListVersion.State.DISCARDED, ListVersion.State.FAILED))
    if earlier := known.first():
        day = cn_date(timezone.localdate(earlier.read_at))
        raise ValidationError({"file": f"同一个文件已于{day}上传过（{earlier.get_state_display()}）。"})
    with transaction.atomic():
        stored = uploads.store(file, kind=Upload.Kind.LIST, unit=county, by=by)
        version = ListVersion.objects.create(
            profile=profile,
            as_of=as_of,
            file_name=stored.original_name,
            file_sha256=digest,
            file=stored,
            read_at=clock.now(),
            read_by=by,
        )
        audit.record("list.upload", version, by=by, unit=county, code=profile.code, on=as_of.isoformat(), sha256=digest)
    if len(content) <= AT_ONCE_BYTES:
        read(version.pk)
        version.refresh_from_db()
        if version.state == ListVersion.State.FAILED:
            failure = version.failure
            discard(version, by=by)
            raise ValidationError({"file": failure})
    return version


@dataclass
class Trial:
    """What reading a file by a profile would give: its first people, and the first findings."""

    people: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    has_more: bool


def try_out(file: UploadedFile, *, layout: Layout, meaning: Meaning) -> Trial:
    """Read the beginning of a file without keeping anything of it. Raises ValidationError as reading would."""
    content, _ = uploads.check(file, kind=Upload.Kind.LIST)
    kinds = dict(Category.objects.values_list("code", "name"))
    with workbooks.open_workbook(content, workbooks.LIST_BOUNDS) as book:
        reader = ListReader(book, layout)
        found = list(itertools.islice(reader.people(), _TRIED + 1))
    people = []
    for person in found[:_TRIED]:
        code, denies = meaning.says(person.flags, position=person.position, sheet=person.sheet)
        people.append(
            {
                "person": person,
                "masked": privacy.mask_id(person.number),
                "kind": kinds.get(code, code),
                "denies": denies,
            }
        )
    return Trial(people, reader.findings[:_TRIED], len(found) > _TRIED)


def discard(version: ListVersion, *, by: User) -> ListVersion:
    """Give a version up that was not taken: its rows and its file go, that it came in stays on record."""
    access.require(by, Permission.COMPARE_LISTS, version.profile.county)
    return _discard(version, by=by)


def _discard(version: ListVersion, *, by: User | None) -> ListVersion:
    with transaction.atomic():
        version = _locked(version.pk)
        if version.state not in (_READ, ListVersion.State.QUEUED, ListVersion.State.FAILED):
            raise ListAlreadySettled(_settled_sentence(version))
        file = version.file
        _forget(version)
        version.state, version.file = ListVersion.State.DISCARDED, None
        version.findings, version.summary = [], {}
        version.rows_total = version.persons_total = version.households_total = 0
        version.save()
        audit.record("list.discard", version, by=by, unit=version.profile.county)
        if file:
            uploads.discard(file, by=by)
    return version


def take(version: ListVersion, *, is_checked: bool = False, by: User) -> ListVersion:
    """Let the version count: match it, give what it gives, open the tasks of what changed.

    A large version is taken by a worker; its state is TAKING until then. Raises ListAlreadySettled the second time,
    ValidationError when the file did not fit its layout and nobody says that it was looked at (`is_checked`).
    """
    county = version.profile.county
    access.require(by, Permission.COMPARE_LISTS, county)
    with transaction.atomic():
        version = _locked(version.pk)
        if version.state != _READ:
            raise ListAlreadySettled(_settled_sentence(version))
        if version.summary.get("doubts") and not is_checked:
            raise ValidationError(
                f"这个文件和“{version.profile}”的格式对不上，没有采用。请核对是否选错了名单；核对无误的，勾选后再采用。"
            )
        # Two files of one day, taken at once: the second waits here and is told.
        Unit.objects.select_for_update(no_key=True).get(pk=county.pk)
        same_day = ListVersion.objects.filter(profile=version.profile_id, as_of=version.as_of)
        if same_day.filter(state__in=(ListVersion.State.TAKING, _TAKEN)).exists():
            raise ValidationError(
                f"“{version.profile}”{cn_date(version.as_of)}的数据已经采用过一份。如果这是更正后的文件，"
                "请放弃这一份，按更正的日期重新上传。"
            )
        version.state, version.taken_at, version.taken_by = ListVersion.State.TAKING, clock.now(), by
        version.attempt, version.lease_until = 0, None
        version.save()
        if version.persons_total <= AT_ONCE_PERSONS:
            _carry_out(version, by=by)
    return version


def _settled_sentence(version: ListVersion) -> str:
    return f"这份名单{version.get_state_display()}，不能再办一次。请刷新页面查看。"


def _locked(key: UUID) -> ListVersion:
    rows = ListVersion.objects.select_for_update(of=("self",))
    return rows.select_related("profile__county", "profile__source", "taken_by", "file").get(pk=key)


def _forget(version: ListVersion) -> None:
    ListMatch.objects.filter(version=version).delete()
    # Straight from the table: the collector would first load a hundred thousand entries to look for their matches.
    ListEntry.objects.filter(version=version)._raw_delete(using="default")


# --- jobs ------------------------------------------------------------------------------------------


def waiting() -> list[UUID]:
    """Versions some worker should work on now: queued, or held by one whose lease ran out."""
    return list(ListVersion.objects.filter(_free(timezone.now())).order_by("read_at").values_list("pk", flat=True))


def _free(now: dt.datetime) -> Q:
    ran_out = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    S = ListVersion.State
    return Q(state=S.QUEUED) | (Q(state__in=(S.READING, S.TAKING)) & ran_out)


def work(key: UUID) -> bool:
    """Do what the version waits for. Safe to call any number of times; True if this call did it."""
    state = ListVersion.objects.values_list("state", flat=True).filter(pk=key).first()
    return _take_claimed(key) if state == ListVersion.State.TAKING else read(key)


def _claim(key: UUID, state: str) -> int | None:
    """Take the version for this worker; the attempt's number, None if somebody else has it."""
    now = timezone.now()  # leases are about processes: always the machine's clock
    free = ListVersion.objects.filter(_free(now), pk=key)
    before = free.values_list("attempt", flat=True).first()
    if before is None:
        return None
    attempt = before + 1
    lease = now + dt.timedelta(seconds=LEASE_SECONDS * attempt)
    taken = free.filter(attempt=before).update(state=state, attempt=attempt, lease_until=lease, failure="")
    return attempt if taken else None


def read(key: UUID) -> bool:
    """Read the version's file into entries, and match them. Ends as READ, or as FAILED with the reason."""
    attempt = _claim(key, ListVersion.State.READING)
    if attempt is None:
        return False
    version = ListVersion.objects.select_related("profile__county", "profile__source", "file", "read_by").get(pk=key)
    try:
        if attempt > MOST_ATTEMPTS:
            raise ValidationError(f"连续 {MOST_ATTEMPTS} 次没有读完，请联系系统管理员查看日志后重新上传。")
        _forget(version)  # what a worker left that died
        _read_into(version, attempt)
        _finish_reading(version, attempt)
    except _TakenOver:
        logger.warning("list %s: claim %s was taken over, result dropped", key, attempt)
        return False
    except ValidationError as refusal:
        mine = ListVersion.objects.filter(pk=key, state=ListVersion.State.READING, attempt=attempt)
        if mine.update(state=ListVersion.State.FAILED, lease_until=None, failure="".join(refusal.messages)[:300]):
            _forget(version)
    return True


class _TakenOver(Exception):
    """The lease ran out and another worker has the version."""


def _keep(version: ListVersion, attempt: int, **fields: Any) -> None:
    """Write progress and hold the lease; only while the claim is still ours."""
    lease = timezone.now() + dt.timedelta(seconds=LEASE_SECONDS * attempt)
    mine = ListVersion.objects.filter(pk=version.pk, state=ListVersion.State.READING, attempt=attempt)
    if not mine.update(lease_until=lease, **fields):
        raise _TakenOver


def _read_into(version: ListVersion, attempt: int) -> None:
    assert version.file is not None
    layout = list_profiles.layout_of(version.profile.layout)
    maker = _EntryMaker(version)
    with workbooks.open_workbook(uploads.read(version.file), workbooks.LIST_BOUNDS) as book:
        reader = ListReader(book, layout)
        for chunk in _chunks(reader.people(), _CHUNK):
            with transaction.atomic():
                _keep(version, attempt, progress=reader.rows)
                insert(ListEntry, maker.entries(chunk), same={"version_id": version.pk})
    if not maker.persons:
        raise ValidationError(
            f"按“{version.profile}”的格式没有读到任何人。请检查是否选错了名单；如果对方换了表格格式，请先修改“名单格式”。"
        )
    maker.merge_marks()
    version.findings = reader.findings
    version.rows_total, version.persons_total = reader.rows, len(maker.persons)
    version.households_total = len(maker.households)
    version.summary = {
        "findings": sum(finding["level"] != "note" for finding in reader.findings)
        + reader.findings_total
        - len(reader.findings),
        "doubts": reader.doubts[:_DOUBTS],
        "only_denies": maker.says == {True},
        "without_category": maker.without_category,
        "unknown_kinds": sorted(maker.unknown_kinds),
    }


def _chunks(people: Iterator[Person], size: int) -> Iterator[list[Person]]:
    chunk: list[Person] = []
    total = 0
    for person in people:
        chunk.append(person)
        if len(chunk) == size:
            total += size
            if total > list_reading.MAX_PERSONS:
                raise ValidationError(f"这份名单超过 {list_reading.MAX_PERSONS} 人。请分成几个文件分别上传。")
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _finish_reading(version: ListVersion, attempt: int) -> None:
    with transaction.atomic():
        _keep(version, attempt)
        list_matching.match(version)
        version.summary |= list_matching.count(version)
        fields = ("findings", "summary", "rows_total", "persons_total", "households_total")
        ListVersion.objects.filter(pk=version.pk).update(
            state=_READ,
            attempt=0,
            lease_until=None,
            progress=version.rows_total,
            **{name: getattr(version, name) for name in fields},
        )
        audit.record(
            "list.read",
            version,
            by=version.read_by,
            unit=version.profile.county,
            rows_total=version.rows_total,
            persons=version.persons_total,
            pupils=version.summary["pupils"],
        )


class _Meant(NamedTuple):
    """What a row of a list says: its category if there is one, whether that is denied, its mark and flags."""

    category: int | None
    denies: bool
    mark: str
    number: int  # the mark's
    flags: dict[str, Any]


class _EntryMaker:
    """Turns people as read into columns of ListEntry, and remembers whom it has seen."""

    def __init__(self, version: ListVersion) -> None:
        self.version = version
        layout = list_profiles.layout_of(version.profile.layout)
        self.meaning = list_profiles.meaning_of(version.profile.meaning, layout.flags)
        self.kinds = _kinds_on(version.as_of)
        self.persons: dict[int, int] = {}  # short hash of the person → of the mark
        self.several: dict[int, set[int]] = defaultdict(set)  # persons whose rows differ → their marks
        self.households: set[str] = set()
        self.without_category = 0
        self.unknown_kinds: set[str] = set()
        self.says: set[bool] = set()  # of the rows with a category: whether they deny it
        self._said: dict[tuple[Any, ...], _Meant] = {}

    def entries(self, people: Sequence[Person]) -> Columns:
        """The people as columns; all that is the same for many is asked once."""
        _, sheets, rows, numbers, names, births, households, relations, _, since, until = zip(*people, strict=True)
        indexes = privacy.id_indexes(numbers)
        for place, index in enumerate(indexes):
            if not index:
                born = births[place].isoformat() if births[place] else ""
                unnamed = vault.blind_index(f"{names[place]}|{born}", purpose="students.list.person")
                indexes[place] = f"n{unnamed[:63]}"
        meant = [self._meaning(person) for person in people]
        for index, each in zip(indexes, meant, strict=True):
            who, what = int(index[1:16], 16), each.number
            if self.persons.setdefault(who, what) != what:
                self.several[who] |= {self.persons[who], what}
        keys = self._keys(households)
        self.households.update(keys)
        self.households.discard("")
        self.without_category += sum(each.category is None for each in meant)
        return {
            "sheet": sheets,
            "row": rows,
            "name": [name[:60] for name in names],
            "birth_date": births,
            "person_index": indexes,
            "id_masked": list(map(privacy.mask_id, numbers)),
            "household": keys,
            "relation": relations,
            "flags": [each.flags for each in meant],
            "category_id": [each.category for each in meant],
            "denies": [each.denies for each in meant],
            "mark": [each.mark for each in meant],
            "valid_from": since,
            "valid_to": until,
        }

    def _keys(self, households: Sequence[str]) -> list[str]:
        """Of each household a key that holds no number: what stood in the file is hashed."""
        given = [each for each in dict.fromkeys(households) if each.startswith("=")]
        hashed = dict(zip(given, vault.blind_indexes(given, purpose="students.list.household"), strict=True))
        return [hashed[each][:32] if each in hashed else each for each in households]

    def _meaning(self, person: Person) -> "_Meant":
        """What a row means; the same flags mean the same on every row of a sheet."""
        key = (person.position, tuple(person.flags.items()), person.valid_from, person.valid_to)
        if key not in self._said:
            code, denies = self.meaning.says(person.flags, position=person.position, sheet=person.sheet)
            kind = self.kinds.get(code)
            if code and kind is None:
                self.unknown_kinds.add(code)
            dates = [str(person.valid_from or ""), str(person.valid_to or "")]
            text = json.dumps([code, denies, person.flags, dates], ensure_ascii=False, sort_keys=True)
            mark = hashlib.sha256(text.encode()).hexdigest()[:16]
            if len(self._said) > 50_000:  # every row another date: no use to remember more
                self._said.clear()
            category = kind.pk if kind else None
            if kind:
                self.says.add(denies)
            self._said[key] = _Meant(category, denies and kind is not None, mark, int(mark, 16), dict(person.flags))
        return self._said[key]

    def merge_marks(self) -> None:
        """Somebody on the list several times with different flags: one mark for all of them together."""
        if not self.several:
            return
        rows = ListEntry.objects.filter(version=self.version).values_list("pk", "person_index")
        changed = []
        for key, index in rows.iterator(chunk_size=5000):
            marks = self.several.get(int(index[1:16], 16))
            if marks:
                text = ",".join(map(str, sorted(marks)))
                changed.append((key, hashlib.sha256(text.encode()).hexdigest()[:16]))
        with transaction.atomic():
            update(ListEntry, ["mark"], changed)


def _kinds_on(day: dt.date) -> Mapping[str, Category]:
    """By code the kind that counts on the day: the newest of that code that had begun, or what took its place."""
    categories = {category.pk: category for category in Category.objects.all()}
    found: dict[str, Category] = {}
    for category in sorted(categories.values(), key=lambda each: each.valid_from):
        if category.valid_from <= day or category.code not in found:
            kind = enrolment.kind_on(category, categories, day)
            if kind:
                found[category.code] = kind
    return found


def _take_claimed(key: UUID) -> bool:
    attempt = _claim(key, ListVersion.State.TAKING)
    if attempt is None:
        return False
    if attempt > MOST_ATTEMPTS:  # then a person looks: nothing of it has been written
        ListVersion.objects.filter(pk=key, state=ListVersion.State.TAKING, attempt=attempt).update(
            state=_READ,
            attempt=0,
            lease_until=None,
            taken_at=None,
            taken_by=None,
            failure=f"连续 {MOST_ATTEMPTS} 次没有采用成，请联系系统管理员查看日志。",
        )
        return False
    with transaction.atomic():
        version = _locked(key)
        if version.state != ListVersion.State.TAKING:
            return False
        assert version.taken_by is not None
        _carry_out(version, by=version.taken_by)
    return True


def _carry_out(version: ListVersion, *, by: User) -> None:
    """Inside a transaction, with the version locked: everything that taking it does."""
    county = version.profile.county
    # One list of the county at a time: what each gives depends on what the others say.
    Unit.objects.select_for_update(no_key=True).get(pk=county.pk)
    version.state, version.lease_until = _TAKEN, None
    version.save(update_fields=["state", "lease_until"])
    given = _bring_up(version, by=by)
    version.summary |= list_matching.count(version) | {"given": given}
    version.summary["rechecks"] = Recheck.objects.filter(version=version, state=Recheck.State.OPEN).count()
    version.save(update_fields=["summary"])
    _, later = list_matching.neighbours(version)
    if later:  # its page compares it with this one from now on
        later.summary |= list_matching.count(later)
        later.save(update_fields=["summary"])
    audit.record(
        "list.take",
        version,
        by=by,
        unit=county,
        code=version.profile.code,
        on=version.as_of.isoformat(),
        persons=version.persons_total,
        pupils=version.summary["pupils"],
        given=given,
        rechecks=version.summary["rechecks"],
    )


def _bring_up(version: ListVersion, *, by: User, pupil: UUID | None = None) -> int:
    """Matches, circumstances and tasks of a taken version as they should be now; how many circumstances were added."""
    before, after = list_matching.neighbours(version)
    around = [each for each in (before, version, after) if each]
    for each in around:
        list_matching.match(each)
    given, again = list_circumstances.give(version, by=by, pupil=pupil)
    rechecks.open_differences(before, version, again=again, pupil=pupil, by=by)
    if after:
        rechecks.open_differences(version, after, pupil=pupil, by=by)
    rechecks.overtake(version)
    rechecks.open_contradictions(version.profile.county_id, by=by)
    return given


def match_again(county: Unit, *, by: User) -> int:
    """Compare the newest version of every list with the register as it is now; how many circumstances were added.

    For pupils who have come to the county since; doing it twice adds nothing.
    """
    access.require(by, Permission.COMPARE_LISTS, county)
    given = 0
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=county.pk)
        newest = [row for row in lists.newest_versions(clock.today()).values() if row.profile.county_id == county.pk]
        for version in sorted(newest, key=lambda row: row.profile.code):
            given += _bring_up(version, by=by)
        audit.record("list.match_again", county, by=by, unit=county, given=given)
    return given


def follow_number(pupil: Pupil, *, by: User) -> dict[str, int]:
    """Compare one pupil with the lists in force anew, because the ID number was put right; what came of it.

    Part of `identity.correct_id`, which asks who may and holds the county's lock. Where a list named the pupil by the
    old number, the school is asked (kinds on record stay until it answers).
    """
    lost = list_matching.follow_number(pupil)
    newest = lists.newest_versions(clock.today())
    stood = set(ListMatch.objects.filter(pupil=pupil, version__in=list(newest)).values_list("version", flat=True))
    given = asked = 0
    for key in sorted(stood | (lost.keys() & newest.keys()), key=str):
        version = newest[key]
        before, _ = list_matching.neighbours(version)
        more, again = list_circumstances.give(version, by=by, pupil=pupil.pk)
        given += more
        rechecks.open_differences(before, version, again=again, pupil=pupil.pk, by=by)
        rechecks.overtake(version)
        if key in lost:
            asked += rechecks.question_number(version, pupil, lost[key], by=by)
    rechecks.open_contradictions(pupil.county_id, by=by)
    return {"given": given, "rechecks": asked}


def sweep_files(*, before: dt.datetime) -> int:
    """Remove the files of versions taken before then, which stay for good, and of those nobody took. How many.

    A version that was only read is given up whole: of people on a list that counts for nothing nothing is kept.
    """
    swept = 0
    left = ListVersion.objects.filter(state__in=(_READ, ListVersion.State.FAILED), read_at__lt=before)
    for version in left.only("pk"):
        with contextlib.suppress(ListAlreadySettled):  # somebody takes it at this moment
            _discard(version, by=None)
            swept += 1
    old = ListVersion.objects.filter(state=_TAKEN, taken_at__lt=before, file__isnull=False).select_related("file")
    for version in old:
        with transaction.atomic():
            file = version.file
            assert file is not None
            ListVersion.objects.filter(pk=version.pk).update(file=None)
            uploads.discard(file)
        swept += 1
    return swept


# --- who is who ------------------------------------------------------------------------------------


def decide(match: ListMatch, *, is_same: bool, by: User) -> ListMatch:
    """The school's word on a proposal: the person on the list is this pupil, or is not.

    It holds for every row about the same person on every list, now and later. One person is one pupil: saying yes
    to one of two homonyms says no to the other. ValidationError when it has been decided already.
    """
    place = enrolment.current(match.pupil)
    access.require(by, Permission.SETTLE_CONCERNS, place.school)
    county = match.version.profile.county
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=county.pk)
        match = ListMatch.objects.select_for_update(of=("self",)).select_related("entry", "pupil").get(pk=match.pk)
        if match.state != ListMatch.State.PROPOSED:
            raise ValidationError(f"这一条已经有了结果（{match.get_state_display()}），没有再改动。请刷新页面。")
        person = ListMatch.objects.filter(
            entry__person_index=match.entry.person_index,
            version__profile__county=county,
        )
        decided = {"decided_at": clock.now(), "decided_by": by}
        proposed = person.filter(state=ListMatch.State.PROPOSED)
        entries = list(proposed.filter(pupil=match.pupil_id).values_list("entry_id", flat=True))
        state = ListMatch.State.CONFIRMED if is_same else ListMatch.State.REFUSED
        if is_same:
            if other := person.filter(entry__in=entries, state__in=HELD).first():
                raise ValidationError(f"这一条已经核对为另一名学生（{other.get_state_display()}）。请刷新页面。")
            proposed.exclude(pupil=match.pupil_id).update(state=ListMatch.State.REFUSED, **decided)
        proposed.filter(pupil=match.pupil_id).update(state=state, **decided)
        audit.record("list_match.decide", match.pupil, by=by, unit=place.school, decision=str(state))
        if is_same:
            for version in lists.newest_versions(clock.today()).values():
                if ListEntry.objects.filter(version=version, pk__in=entries).exists():
                    _bring_up(version, by=by, pupil=match.pupil_id)
    match.refresh_from_db()
    return match


def proposals() -> QuerySet[ListMatch]:
    """Open proposals of the newest versions of the lists in use."""
    newest = list(lists.newest_versions(clock.today()))
    return ListMatch.objects.filter(state=ListMatch.State.PROPOSED, version__in=newest)


def proposals_for(user: User, permission: Permission = Permission.SETTLE_CONCERNS) -> QuerySet[ListMatch]:
    """Open proposals about pupils now at the user's schools, one for each person and pupil.

    Those the user decides on; with another permission, those over whose schools the user holds it.
    """
    open_ = list_matching.about_ours(proposals(), user, permission)
    pairs = open_.order_by().values("entry__person_index", "pupil").annotate(first=Min("pk"))
    return ListMatch.objects.filter(pk__in=pairs.values("first"))
