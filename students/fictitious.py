"""Numbers that pass every check and belong to nobody, for the demo county and the tests.

ID numbers use region codes 5399xx, which GB/T 2260 has never given out; cards use the prefix 6299; mobile
numbers use 154, which is not in public use.
"""

import datetime as dt

from .numbers import check_character, passes_luhn

_SEQUENCES = 500  # of one sex, in one region, on one day


def id_number(serial: int, *, born: dt.date, sex: str) -> str:
    """The ID number of the serial-th invented person of that day and sex (serial 0 to 49999)."""
    region, sequence = divmod(serial, _SEQUENCES)
    if not 0 <= region < 100:
        raise ValueError("serial runs from 0 to 49999")
    first_17 = f"5399{region:02d}{born:%Y%m%d}{sequence * 2 + (1 if sex == 'male' else 0):03d}"
    return first_17 + check_character(first_17)


def roll_number(id_number: str) -> str:
    """The formal roll number of somebody with this ID number."""
    return f"G{id_number}"


def temporary_roll_number(serial: int, *, born: dt.date) -> str:
    return f"L539900{born:%Y%m%d}{serial:04d}"


def card_number(serial: int) -> str:
    """A 19-digit card number that passes Luhn (serial 0 to 10**14 - 1)."""
    first_18 = f"6299{serial:014d}"
    return next(first_18 + digit for digit in "0123456789" if passes_luhn(first_18 + digit))


def phone_number(serial: int) -> str:
    return f"154{serial % 10**8:08d}"
