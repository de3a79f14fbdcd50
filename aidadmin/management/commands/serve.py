"""`./aid serve`: a real installation in the foreground, as a service manager wants it."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aidadmin.serving import PARTS, Plan, run


class Command(BaseCommand):
    help = "运行正式系统：网页、后台任务、定时任务，以及（没有设置 CELERY_BROKER_URL 时）内置的任务队列。"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="端口，默认 8000")
        parser.add_argument("--host", default="127.0.0.1", help="地址，默认 127.0.0.1，由前面的 nginx 转发")
        parser.add_argument("--parts", default=",".join(PARTS), help=f"只运行其中几部分，默认全部：{','.join(PARTS)}")

    def handle(self, *, port: int, host: str, parts: str, **options: object) -> None:
        chosen = tuple(part.strip() for part in parts.split(","))
        if unknown := sorted(set(chosen) - set(PARTS)):
            raise CommandError(f"没有这些部分：{'、'.join(unknown)}。可以选的有：{'、'.join(PARTS)}。")
        plan = Plan(settings.DATA_DIR, host, port, demo=False, parts=chosen)
        run(plan, say=self.say, announce=lambda plan: self.say(f"系统已启动：{plan.address}"))

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # a log file or a service manager is to see it now
