"""Walk the audit trail from its first row and say whether it is whole. For cron: the exit code is the answer."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit


class Command(BaseCommand):
    help = "核验操作记录是否被改动、删除或插入；不完整时指出第一处并以 1 退出。"

    def handle(self, *args: Any, **options: Any) -> None:
        report = audit.verify_chain()
        if report.broken_at is not None:
            raise CommandError(
                f"操作记录不完整：{report.reason}前 {report.rows} 行完好，从第 {report.broken_at} 行起不可信。",
                returncode=1,
            )
        self.stdout.write(f"操作记录完整：共 {report.rows} 行，前后相连，没有改动、缺失或插入。")
