"""The rule for meetings as the county types it, and as a pack brings it."""

import pytest
from django.urls import reverse

from subsidies import packs
from subsidies.models import Programme
from tests.cast import Cast
from tests.subsidies.test_packs import CATEGORIES, GOOD
from tests.subsidies.test_pages import open_as, text_of
from tests.subsidies.test_programme_desk import RULE

CODE = "living-aid"

ASKED = RULE | {
    "class_method": "votes",
    "class_pass_mark": "67",
    "school_method": "ranking",
    "attendance_percent": "80",
    "seat_primary_pupil": "0",
    "seat_junior_parent": "2",
    "seat_school_village": "1",
}


def pack(said: str) -> packs.Pack:
    """The sample with more in its rule of procedure."""
    head, line, rest = GOOD.partition("[[programme.process]]\n")
    return packs.read_pack(f"{head}{line}  {said}\n{rest}", categories=CATEGORIES)


def test_the_county_says_how_meetings_decide_and_who_sits(cast: Cast, round_) -> None:
    url, clerk = reverse("process_rule_add", args=[CODE]), open_as(cast.clerk)
    page = text_of(clerk.post(url, ASKED, follow=True))
    said = "班级评议无记名投票，同意票不少于到会人数的67%；学校评审排序；到会率不低于80%"
    assert said in page
    rule = Programme.objects.get(code=CODE).process_rules.get(first_term=RULE["first_term"])
    assert rule.seats == {"primary": {"pupil": 0}, "junior": {"parent": 2}, "school": {"village": 1}}
    assert (rule.class_method, rule.class_pass_mark, rule.school_method) == ("votes", 67, "ranking")
    form = clerk.get(url).context["form"]
    assert [form[name].value() for name in ("seat_primary_pupil", "seat_junior_parent", "seat_primary_parent")] == [
        "0", "2", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"class_method": "talk"}, "班级评议以讨论决定方式进行，没有通过线"),
        ({"school_pass_mark": "50"}, "学校评审以排序方式进行，没有通过线"),
        ({"class_pass_mark": "101"}, "小于或等于100"),
        (
            {f"seat_school_{kind}": "0" for kind in ("teacher", "leader", "pupil", "parent", "village", "other")},
            "学校评审小组的各类人员都写了“不参加”",
        ),
    ],
)
def test_a_rule_no_meeting_could_keep_is_refused(cast: Cast, round_, change, sentence) -> None:
    before = Programme.objects.get(code=CODE).process_rules.count()
    page = text_of(open_as(cast.clerk).post(reverse("process_rule_add", args=[CODE]), ASKED | change))
    assert sentence in page
    assert Programme.objects.get(code=CODE).process_rules.count() == before


def test_a_pack_brings_it() -> None:
    said = 'class_method = "scores"\n  class_pass_mark = 60\n  seats = { primary = { pupil = 0, parent = 2 } }'
    row = pack(said).programmes[0].processes[0]
    assert (row.class_method, row.class_pass_mark, row.attendance_percent) == ("scores", 60, 0)
    assert row.seats == {"primary": {"pupil": 0, "parent": 2}}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('class_method = "dice"', "不能写“dice”"),
        ("seats = { college = { pupil = 0 } }", "里不能写“college”"),
        ("seats = { primary = { aunt = 1 } }", "aunt"),
        ("seats = { primary = { pupil = 31 } }", "要写0到30的整数"),
    ],
)
def test_a_pack_that_says_it_wrongly_is_told_where(line, fault) -> None:
    with pytest.raises(packs.PackRefused) as refused:
        pack(line)
    assert fault in "".join(refused.value.messages)
