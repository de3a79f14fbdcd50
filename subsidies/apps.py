"""The package's start: the register may ask it who has a case."""

from django.apps import AppConfig


class SubsidiesConfig(AppConfig):
    name = "subsidies"
    verbose_name = "资助项目与申请"

    def ready(self) -> None:
        from students import cases

        from . import changes

        cases.keep(changes.pupils_with_cases)
