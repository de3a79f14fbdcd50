import datetime as dt
from dataclasses import dataclass, field
from accounts.models import Appointment, Unit, User
from students import reference as students_reference
from students.models import School, SchoolClass, Term

TODAY = dt.date(2026, 10, 12)
PASSWORD = "kan-bu-jian-de-mima-7"


@dataclass
class Cast:
    county: Unit
    school_a: Unit
    school_b: Unit
    class_a1: Unit
    class_a2: Unit
    class_b1: Unit
    term: Term
    people: dict = field(default_factory=dict)

    def __getattr__(self, name):
        try:
            return self.__dict__["people"][name]
        except KeyError:
            raise AttributeError(name) from None


def gather():
    students_reference.load()
    county = Unit.objects.create(level="county", name="云岭县")

    def school(name, code, stages):
        u = Unit.objects.create(level="school", name=name, parent=county)
        School.objects.create(unit=u, code=code, stages=stages)
        return u

    def klass(s, name, stage, grade):
        u = Unit.objects.create(level="class", name=name, parent=s)
        SchoolClass.objects.create(unit=u, stage=stage, grade=grade)
        return u

    a = school("云岭县第一初级中学", "5353990001", ["junior"])
    b = school("云岭县城关小学", "5353990002", ["primary"])
    cast = Cast(
        county,
        a,
        b,
        klass(a, "七年级1班", "junior", "七年级"),
        klass(a, "七年级2班", "junior", "七年级"),
        klass(b, "三年级1班", "primary", "三年级"),
        Term.objects.get(key="2026-2027-1"),
    )
    for username, name, role, unit in (
        ("clerk", "沈经办", "county_clerk", county),
        ("head", "高主任", "county_head", county),
        ("inspector", "严督查", "inspector", county),
        ("admin", "管理员", "system_admin", county),
        ("officer_a", "陈专干", "aid_officer", a),
        ("principal_a", "周校长", "principal", a),
        ("teacher_a1", "李老师", "class_teacher", cast.class_a1),
        ("teacher_a2", "王老师", "class_teacher", cast.class_a2),
        ("officer_b", "杨专干", "aid_officer", b),
        ("principal_b", "赵校长", "principal", b),
        ("teacher_b1", "马老师", "class_teacher", cast.class_b1),
    ):
        user = User.objects.create_user(username, name=name, password=PASSWORD, must_change_password=False)
        Appointment.objects.create(user=user, role=role, unit=unit, starts_on=dt.date(2026, 9, 1))
        cast.people[username] = user
    return cast
