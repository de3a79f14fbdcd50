"""Rules for passwords whose sentence Django has no Chinese for."""

from django.contrib.auth.password_validation import MinimumLengthValidator


class LengthValidator(MinimumLengthValidator):
    """Django's rule; its sentence of 5.2 is not in the Chinese catalogue yet and would appear in English."""

    def get_error_message(self) -> str:
        return f"密码太短，至少要 {self.min_length} 位。"

    def get_help_text(self) -> str:
        return f"密码至少要 {self.min_length} 位。"
