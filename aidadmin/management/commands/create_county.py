"""Begin a real county: its unit, the reference rows, and the first administrator with a one-time password."""

from argparse import ArgumentParser

from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.db import transaction

from accounts import appointments, audit, clock, people
from accounts.models import Unit
from documents import signing
from students import reference as students_reference
from subsidies import reference as subsidies_reference


class Command(BaseCommand):
    help = "建立一个县：装入学期、困难类别、资助项目、标准和工作日历，开通第一个系统管理员。"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("county", help="县名，例如 云岭县")
        parser.add_argument("--admin", default="admin", help="系统管理员的账号，默认 admin")
        parser.add_argument("--name", default="系统管理员", help="系统管理员的姓名")

    def handle(self, *, county: str, admin: str, name: str, **options: object) -> None:
        if Unit.objects.filter(level=Unit.Level.COUNTY).exists():
            raise CommandError("这个系统里已经有一个县，一个系统只管一个县。")
        try:
            with transaction.atomic():
                unit = Unit.objects.create(level=Unit.Level.COUNTY, name=county.strip())
                audit.record("county.create", unit, by=None, unit=unit)
                students_reference.load()
                subsidies_reference.load()
                user, password = people.open_account(admin, name, by=None)
                appointments.appoint(user, role="system_admin", unit=unit, starts_on=clock.today(), by=None)
        except ValidationError as refusal:
            raise CommandError(" ".join(refusal.messages)) from None
        # From now on papers are signed in the county's name; an authority's key may take its place (signing_key).
        signing.make_county_key(f"{county.strip()}学生资助中心", replace=True)
        self.stdout.write(
            f"{county}已建立。系统管理员账号 {admin}，首次密码 {password}（只显示这一次，登录后须修改）。"
        )
        self.stdout.write("下一步：系统管理员登录后开通县资助中心经办的账号；经办在“学校”页登记各所学校。")
