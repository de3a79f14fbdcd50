"""Read a policy pack, reckon its examples, and take over what the county does not have yet."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from subsidies import pack_loading, packs
from subsidies.pack_loading import State


class Command(BaseCommand):
    help = "载入政策包：检查写法和例子，把本县还没有的项目和标准登记为本县的，已有的保持不变。"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pack", help=f"政策包的代码（{'、'.join(packs.shipped())}），或 .toml 文件的路径")
        parser.add_argument("--check", action="store_true", help="只检查写法和例子，不载入")

    def handle(self, *, pack: str, check: bool, **options: object) -> None:
        try:
            read = _read(pack)
            wrong = packs.wrong_examples(read)
            if wrong:
                raise ValidationError(wrong)
            count = sum(len(each.examples) for each in read.programmes)
            self.stdout.write(f"{read.name}（{read.code}）：{len(read.programmes)}个项目，{count}个例子全部正确。")
            if not check:
                self._report(pack_loading.load(read))
        except ValidationError as refusal:
            raise CommandError("\n".join(refusal.messages)) from None

    def _report(self, found: pack_loading.Comparison) -> None:
        added, kept = found.count(State.NEW), found.count(State.OTHER)
        self.stdout.write(
            f"新增项目{len(found.new_programmes)}个，新增规则{added}条，本县已有{found.count(State.THERE)}条。"
        )
        for each in found.programmes:
            if each.why:
                self.stdout.write(f"没有采用：{each.programme.name}：{each.why}")
            for item in each.items:
                if item.state == State.OTHER and item.why:
                    self.stdout.write(f"没有采用：{each.programme.name}第{item.origin.row}条：{item.why}")
        if kept:
            self.stdout.write(f"与本县规则不同的{kept}条没有采用，本县的保持不变；需要时请在“项目与标准”页登记。")


def _read(pack: str) -> packs.Pack:
    if not pack.endswith(".toml"):
        return pack_loading.shipped(pack)
    try:
        # Notepad of Windows puts a mark before the first character. No more is read than a pack may have.
        with Path(pack).open(encoding="utf-8-sig", newline="") as file:
            text = file.read(packs.MOST + 1)
    except (OSError, UnicodeDecodeError):
        raise ValidationError(f"读不出文件“{pack}”：请核对路径，文件要存为UTF-8编码。") from None
    return packs.read_pack(text, categories=pack_loading.known_categories())
