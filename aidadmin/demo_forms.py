"""What invented families of the demo county say on their forms, and which of them came back signed."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import clock
from accounts.models import User
from students.models import Enrolment
from subsidies import declaration_papers, declarations
from subsidies.declaration_answers import Answers, Member


def _families() -> Iterator[Answers]:
    """Three kinds of family in turn; the first member has the name of the guardian on record."""
    return itertools.cycle(
        (
            Answers(
                household=5,
                members=(
                    Member("", "父亲", "away", 43, "建筑工地", "务工", 26_000),
                    Member("李秀英", "母亲", "here", 40, "白石镇三家村", "务农", 4_800),
                    Member("罗德福", "祖父", "here", 72, "白石镇三家村", "务农", 1_680, "major"),
                    Member("张小红", "妹妹", "here", 8, "三家村小学", "学生", 0),
                ),
                native_place="云岭",
                address="云岭县白石镇三家村委会下寨",
                studying=2,
                supported=1,
                income_source="务工、务农、低保金",
                weakness="祖父中风后遗症，需要有人照料。",
                reason="祖父常年吃药，两个孩子上学，父亲一人务工。",
            ),
            Answers(
                household=3,
                members=(
                    Member("", "母亲", "here", 38, "县城菜市场", "零工", 15_600),
                    Member("王志强", "父亲", "dead"),
                    Member("王阿妹", "祖母", "here", 68, "金钟镇街上", "务农", 1_440, "minor"),
                ),
                native_place="云岭",
                address="云岭县金钟镇街道社区 6 组",
                studying=1,
                supported=1,
                income_source="打零工、低保金",
                accident="2025 年父亲因工去世，未获全部赔偿。",
                debt="治病借款 3 万元。",
                reason="母亲一人抚养孩子和老人。",
            ),
            Answers(
                household=4,
                members=(
                    Member("", "父亲", "here", 45, "龙潭镇大水村", "务农", 12_000, "minor"),
                    Member("陈桂兰", "母亲", "here", 44, "龙潭镇大水村", "务农", 3_000),
                    Member("陈国华", "哥哥", "away", 17, "县职业高级中学", "学生", 0),
                ),
                native_place="云岭",
                address="云岭县龙潭镇大水村",
                studying=2,
                income_source="务农",
                disaster="今年 7 月洪水冲毁水田 2 亩。",
                reason="受灾减收，两人上学。",
            ),
        )
    )


def fill_in(places: Iterable[Enrolment], *, by: User, signed: int = 0) -> None:
    """A form for each of the pupils; the first `signed` of them came back signed."""
    for number, (place, said) in enumerate(zip(places, _families(), strict=False)):
        first, *others = said.members
        guardian = dataclasses.replace(first, name=place.pupil.guardian_name or "张建国")
        answers = dataclasses.replace(said, members=(guardian, *others))
        held = declarations.declare(place, answers, based_on=0, reason="", by=by)
        forms = declarations.forms_for(place.stage, place.term)
        if number < signed and forms:
            paper = declaration_papers.print_version(held, forms[0], by=by)
            scan = SimpleUploadedFile("申请表签字页.pdf", paper, "application/pdf")
            declarations.attach_signed(held, forms[0].rule, scan, signed_on=clock.today(), signer="both", by=by)
