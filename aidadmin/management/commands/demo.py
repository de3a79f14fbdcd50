"""`./aid demo`: the demo county, from nothing to the sign-in page, in the foreground."""

import os
import unicodedata
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from aidadmin import demo
from aidadmin.serving import Plan, run


class Command(BaseCommand):
    help = "运行演示县：第一次会准备数据（一两分钟），以后几秒钟就能启动，数据保留。按 Ctrl-C 停止。"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="端口，默认 8000")
        parser.add_argument("--host", default="127.0.0.1", help="地址，默认只有本机能访问（127.0.0.1）")
        parser.add_argument("--data", type=Path, help="数据目录，默认是程序目录下的 var/demo")

    def handle(self, *, port: int, host: str, data: Path | None, **options: object) -> None:
        chosen = data or os.environ.get("AID_DATA") or settings.BASE_DIR / "var" / "demo"
        plan = Plan(Path(chosen).expanduser().resolve(), host, port, demo=True)
        run(plan, say=self.say, announce=self.announce)

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # a log file or a service manager is to see it now

    def announce(self, plan: Plan) -> None:
        lines = ["", f"  演示县已启动：{plan.address}", ""]
        lines += [f"    {_padded(name, 12)}{who}" for name, who in demo.ACCOUNTS]
        if demo.PASSWORD:
            lines += ["", f"  以上账号的密码都是：{demo.PASSWORD}"]
        lines += [f"  数据在 {plan.data}。按 Ctrl-C 停止，再次启动数据还在。", ""]
        self.say("\n".join(lines))


def _padded(text: str, width: int) -> str:
    """Filled up with spaces to a width on the screen, where a Chinese character takes two columns."""
    taken = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return text + " " * max(width - taken, 1)
