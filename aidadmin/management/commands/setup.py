"""`./aid setup`: keys, tables, static files; with AID_DEMO=1 the demo county too. May be repeated at any time."""

from django.core.management.base import BaseCommand

from aidadmin import installation


class Command(BaseCommand):
    help = "准备数据目录：生成缺少的密钥，建立或更新数据表，整理静态文件。可以重复执行。"
    requires_system_checks: list[str] = []  # some of them look for the tables this makes

    def handle(self, **options: object) -> None:
        installation.prepare(out=self.stdout)
