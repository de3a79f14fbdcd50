"""Show the certificate that signs papers; install a CA's .p12; make a new county key."""

from argparse import ArgumentParser
from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from documents import signing


class Command(BaseCommand):
    help = "查看签名证书；用 --install 换成 CA 签发的 .p12；用 --new 重新生成本县自己的证书。"

    def add_arguments(self, parser: ArgumentParser) -> None:
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--install", metavar="FILE.p12", type=Path, help="CA 签发的密钥文件")
        change.add_argument("--new", metavar="NAME", help="重新生成，证书上写这个名称，如“云岭县学生资助管理中心”")
        parser.add_argument("--passphrase-file", type=Path, help=".p12 的口令所在文件；不给则在终端询问")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["install"]:
            self._install(options["install"], options["passphrase_file"])
        elif options["new"]:
            signing.make_county_key(options["new"], replace=True)
        facts = signing.facts()
        if options["install"] or options["new"]:
            audit.record("signing.key", "documents.signing:key", by=None, fingerprint=facts.fingerprint)
            self.stdout.write("签名证书已更换；用旧证书签过的文件仍可查验。原密钥文件保留在同一目录。")
        self._show(facts)

    def _install(self, path: Path, passphrase_file: Path | None) -> None:
        passphrase = passphrase_file.read_bytes().strip() if passphrase_file else getpass("口令：").encode()
        try:
            signing.install(path.read_bytes(), passphrase)
        except ValidationError as refusal:
            raise CommandError("".join(refusal.messages)) from refusal

    def _show(self, facts: signing.KeyFacts) -> None:
        for label, text in (
            ("密钥文件", facts.path),
            ("证书名称", facts.subject),
            ("签发者", facts.issuer),
            ("有效期", f"{facts.not_before:%Y-%m-%d} 至 {facts.not_after:%Y-%m-%d}"),
            ("算法", facts.algorithm),
            ("序列号", facts.serial),
            ("SHA-256", facts.fingerprint),
        ):
            self.stdout.write(f"{label}：{text}")
