"""Fills an empty installation with the cast: people and classes, and not one pupil. Run as a program.

Counties of their own, so that walks never meet: 云岭县 with the cast of all tests, 平川县 for rosters with faults,
清河县 for large rosters and such as need an answer.
"""

import datetime as dt
import os
import sys
from pathlib import Path

# A Wednesday: five working days from here lie around the mid-autumn days and the national holiday of 2026.
FIRST_DAY = dt.date(2026, 9, 23)


def fill() -> None:
    from accounts import clock
    from accounts.models import Unit
    from aidadmin import installation
    from tests import cast

    data = Path(os.environ["AID_DATA"])
    for marker in (installation.DEMO_BEGUN, installation.DEMO_COMPLETE):
        (data / marker).touch()  # the demo's clock, without the demo's pupils
    installation.prepare(out=sys.stdout)  # type: ignore[arg-type]
    clock.set_demo_day(FIRST_DAY)
    cast.gather()
    _second_county(Unit.objects.create(level="county", name="平川县"))
    _third_county(Unit.objects.create(level="county", name="清河县"))


def _second_county(county: object) -> None:
    from tests import cast

    school = cast._school(county, "平川县实验初级中学", "5353980001", ["junior"])
    school_class = cast._class(school, "七年级1班", "junior", "七年级")
    for username, name, role, unit in (
        ("clerk_p", "白经办", "county_clerk", county),
        ("clerk_p2", "常经办", "county_clerk", county),
        ("head_p", "丁主任", "county_head", county),
        ("officer_p", "冯专干", "aid_officer", school),
        ("grade_head_p", "秦组长", "grade_head", school),
        ("principal_p", "贺校长", "principal", school),
        ("teacher_p", "孔老师", "class_teacher", school_class),
    ):
        cast.person(username, name, role, unit)


def _third_county(county: object) -> None:
    from tests import cast

    school = cast._school(county, "清河县第二初级中学", "5353970001", ["junior"])
    cast._school(county, "清河县河东小学", "5353970002", ["primary"])
    for username, name, role, unit in (
        ("clerk_q", "覃经办", "county_clerk", county),
        ("officer_q", "秦专干", "aid_officer", school),
    ):
        cast.person(username, name, role, unit)


if __name__ == "__main__":
    os.environ.setdefault("AID_SECRET_KEY", "until-the-keys-are-made")
    import django

    django.setup()
    fill()
