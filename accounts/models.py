"""Users, units (county → school → class), appointments, and the audit trail."""

import datetime as dt
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from .roles import ROLES, UnitLevel


@models.CharField.register_lookup
class Below(models.Lookup):
    """`path__below="000001/000004/"`: this unit and everything under it, in a form that an index answers."""

    lookup_name = "below"

    def as_sql(self, compiler, connection, **extra):
        column, params = self.process_lhs(compiler, connection)
        if not self.rhs.endswith("/"):
            raise ValueError(f"{self.rhs!r} is no path of a unit")
        if connection.vendor == "sqlite":
            # LIKE with a parameter reads the whole index there. "0" is the character after "/".
            if self.rhs.count("/") == 1:
                # Everything of a county: no reason to choose an index by it (+ says so), and SQLite would.
                column = f"+{column}"
            return f"({column} >= %s AND {column} < %s)", [*params, self.rhs, *params, f"{self.rhs[:-1]}0"]
        return f"{column} LIKE %s", [*params, f"{self.rhs}%"]


class Unit(models.Model):
    """A county, a school or a class: the tree over which scopes are statements.

    `path` holds the keys from the root down, each followed by a slash ("000001/000004/"), so that "this unit and
    everything below" is one prefix comparison.
    """

    class Level(models.TextChoices):
        COUNTY = UnitLevel.COUNTY.value, "县"
        SCHOOL = UnitLevel.SCHOOL.value, "学校"
        CLASS = UnitLevel.CLASS.value, "班级"

    level = models.CharField("层级", max_length=10, choices=Level.choices)
    name = models.CharField("名称", max_length=80)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name="上级"
    )
    path = models.CharField(max_length=60, unique=True, editable=False)
    is_active = models.BooleanField("启用", default=True)

    class Meta:
        ordering = ["path"]
        constraints = [
            models.CheckConstraint(
                condition=Q(level="county", parent__isnull=True) | (~Q(level="county") & Q(parent__isnull=False)),
                name="unit_only_counties_have_no_parent",
            ),
            models.CheckConstraint(condition=Q(level__in=[c.value for c in UnitLevel]), name="unit_level_known"),
            models.UniqueConstraint(fields=["parent", "name"], name="unit_name_unique_under_parent"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args, **kwargs):
        if self.path:
            super().save(*args, **kwargs)
            return
        # The own key is part of the path, so a new unit is written twice; the first path only has to be free.
        self.path = f"new-{uuid.uuid4()}"[:60]
        super().save(*args, **kwargs)
        # Of one width, so that paths sort as the units were made: the tenth class after the ninth.
        self.path = f"{self.parent.path if self.parent else ''}{self.pk:06d}/"
        super().save(update_fields=["path"])

    def contains(self, other: "Unit") -> bool:
        """Whether `other` is this unit or lies below it."""
        return other.path.startswith(self.path)


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, *, name: str, password: str | None = None, **fields) -> "User":
        user = self.model(username=self.model.normalize_username(username), name=name, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who signs in. What they may do comes from their appointments, never from the account."""

    username = models.CharField(
        "账号", max_length=40, unique=True, error_messages={"unique": "这个账号已经有人使用，请换一个。"}
    )
    name = models.CharField("姓名", max_length=40)
    is_active = models.BooleanField("启用", default=True)
    must_change_password = models.BooleanField("首次登录须改密码", default=True)
    email = models.EmailField("提醒邮箱", max_length=120, blank=True)  # reminders only; nobody signs in with it

    # Read once per user object; see scopes.current_appointments.
    appointments_in_force: "tuple[dt.date, list[Appointment]] | None" = None

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["name"]
    objects = UserManager()

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.name


class Appointment(models.Model):
    """A role held over a unit, from a day to a day (both included). Hand-over is one ending, one beginning.

    代理: with `acts_for` the role is that person's, who stays in office; the other acts in their name until a day.
    """

    user = models.ForeignKey(User, models.PROTECT, related_name="appointments", verbose_name="人员")
    role = models.CharField("角色", max_length=20, choices=[(r.code, r.label) for r in ROLES.values()])
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="appointments", verbose_name="单位")
    starts_on = models.DateField("开始日期")
    ends_on = models.DateField("结束日期", null=True, blank=True)
    acts_for = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="deputies", verbose_name="被代理人"
    )

    class Meta:
        ordering = ["user", "starts_on"]
        constraints = [
            models.CheckConstraint(condition=Q(role__in=list(ROLES)), name="appointment_role_known"),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")), name="appointment_ends_after_start"
            ),
            # Nobody acts for somebody without end, nor for oneself.
            models.CheckConstraint(
                condition=Q(acts_for__isnull=True) | (Q(ends_on__isnull=False) & ~Q(acts_for=F("user"))),
                name="appointment_acting_has_an_end",
            ),
            models.UniqueConstraint(
                fields=["user", "role", "unit"],
                condition=Q(ends_on__isnull=True),
                name="appointment_open_once",
                violation_error_message="这个人员已经担任该单位的这个角色。",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} {self.get_role_display()} {self.user}"

    @property
    def post(self) -> str:
        """As people say it: 云岭县资助中心经办, 七年级1班班主任, 云岭县第一初级中学校长（代周明）."""
        label = self.get_role_display()
        doubled = self.unit.name.endswith("县") and label.startswith("县")
        said = self.unit.name + (label[1:] if doubled else label)
        return f"{said}（代{self.acts_for.name}）" if self.acts_for else said

    def clean(self):
        if self.role and self.unit_id and ROLES[self.role].level != self.unit.level:
            wanted = Unit.Level(ROLES[self.role].level.value).label
            raise ValidationError(f"“{ROLES[self.role].label}”要任命到{wanted}一级，“{self.unit}”不是{wanted}。")


class AppendOnlyQuerySet(models.QuerySet):
    """Rows that are evidence: written once, never changed. The database refuses too, by trigger."""

    def _refuse(self, *args, **kwargs):
        raise TypeError(f"{self.model.__name__} rows are written once and never changed or deleted.")

    update = delete = bulk_update = _refuse


class AuditRow(models.Model):
    """Who did what, where and when, as text, so that the trail never depends on live rows.

    Rows form a chain: `digest` is taken over the row's own text and the digest before it. The chain's end
    is kept in `AuditHead`, so a row cut from the end is missed too.
    """

    number = models.PositiveBigIntegerField("序号", primary_key=True)
    at = models.DateTimeField("时间")
    username = models.CharField("账号", max_length=40)
    person = models.CharField("姓名", max_length=40)
    origin = models.CharField("来源", max_length=80, blank=True)  # address and request number
    action = models.CharField("操作", max_length=40)
    subject = models.CharField("对象", max_length=120)  # "subsidies.application:3f2c…", never a name or number
    unit_path = models.CharField("单位", max_length=60, blank=True)
    detail = models.JSONField("内容", default=dict)
    digest = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["subject"], name="audit_by_subject"),
            models.Index(fields=["action", "-number"], name="audit_by_action"),
            models.Index(fields=["username", "-number"], name="audit_by_person"),
            models.Index(fields=["-at", "-number"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action}"

    def save(self, *args, **kwargs):
        raise TypeError("Audit rows are written by accounts.audit.record, and never changed.")

    delete = save


class AuditHead(models.Model):
    """The end of the audit chain: one row, locked by whoever appends."""

    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return f"audit chain up to {self.number}"


class AuditCheck(models.Model):
    """One walk over the whole audit chain, from its first row to the one that was its last when it was asked for.

    The row is the job: `reached` and `digest` say where the walk stands. What it found is told in the trail.
    """

    asked_at = models.DateTimeField("提出时间")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="提出人")
    # The end of the chain at that moment: as its head says, and as the rows are.
    head = models.PositiveBigIntegerField("链尾")
    head_digest = models.CharField(max_length=64)
    last = models.PositiveBigIntegerField("最后一行")
    reached = models.PositiveBigIntegerField("已核验", default=0)
    digest = models.CharField(max_length=64, default="0" * 64)
    lease_until = models.DateTimeField(null=True, blank=True)
    broken_at = models.PositiveBigIntegerField("第一处不符", null=True, blank=True)
    reason = models.CharField("原因", max_length=120, blank=True)
    finished_at = models.DateTimeField("完成时间", null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.reached} / {self.head}"


class ReminderMail(models.Model):
    """The reminder of one day to one person: claimed before it is sent, so that nobody gets two of a day."""

    user = models.ForeignKey(User, models.PROTECT, related_name="reminders", verbose_name="人员")
    day = models.DateField("日期")
    things = models.PositiveIntegerField("待办件数")
    claimed_at = models.DateTimeField("开始发送")
    sent_at = models.DateTimeField("发出时间", null=True, blank=True)

    class Meta:
        ordering = ["-day", "user"]
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="reminder_one_per_person_and_day")]

    def __str__(self) -> str:
        return f"{self.user} {self.day}"
