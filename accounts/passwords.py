"""Rules for passwords whose sentence Django has no Chinese for, and what checking one may cost."""

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.password_validation import MinimumLengthValidator


class LengthValidator(MinimumLengthValidator):
    """Django's rule; its sentence of 5.2 is not in the Chinese catalogue yet and would appear in English."""

    def get_error_message(self) -> str:
        return f"密码太短，至少要 {self.min_length} 位。"

    def get_help_text(self) -> str:
        return f"密码至少要 {self.min_length} 位。"


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes and one lane (OWASP Password Storage Cheat Sheet, 2024): 30 ms of one core.

    Django's own settings take 100 MiB and eight lanes: on two cores, a staff room that signs in before a meeting would
    keep everybody else waiting. What was hashed with those is hashed anew at the next sign-in.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1
