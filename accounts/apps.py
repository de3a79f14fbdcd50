"""The app's start: coming and going is written into the audit trail; empty fields are asked for kindly."""

from django import forms
from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "账号与任职"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

        from . import sessions

        user_logged_in.connect(sessions.signed_in, dispatch_uid="audit sign in")
        user_logged_out.connect(sessions.signed_out, dispatch_uid="audit sign out")
        user_login_failed.connect(sessions.refused, dispatch_uid="audit refused sign in")
        _ask_kindly()


def _ask_kindly() -> None:
    """Django's one sentence for everything left empty speaks of fields; these say what to do."""
    for kind, sentence in (
        (forms.Field, "请填写这一项。"),
        (forms.ChoiceField, "请选择一项。"),
        (forms.MultipleChoiceField, "请至少选择一项。"),
        (forms.ModelChoiceField, "请选择一项。"),
        (forms.FileField, "请选择文件。"),
        (forms.BooleanField, "请勾选后再提交。"),
    ):
        kind.default_error_messages = {**kind.__dict__.get("default_error_messages", {}), "required": sentence}
