"""Keys of terms (2026-2027-1 is autumn, -2 spring) as plain text: they sort as the terms follow one another. Pure."""


def term_after(key: str) -> str:
    """2026-2027-1 → 2026-2027-2; 2026-2027-2 → 2027-2028-1."""
    first, second, half = key.split("-")
    return f"{first}-{second}-2" if half == "1" else f"{second}-{int(second) + 1}-1"


def term_before(key: str) -> str:
    """2026-2027-2 → 2026-2027-1; 2026-2027-1 → 2025-2026-2."""
    first, second, half = key.split("-")
    return f"{first}-{second}-1" if half == "2" else f"{int(first) - 1}-{first}-2"


def is_autumn(key: str) -> bool:
    """Whether the term begins a school year."""
    return key.endswith("-1")


def term_name(key: str) -> str:
    """2026-2027-1 → 2026—2027学年秋季学期."""
    first, second, _ = key.split("-")
    return f"{first}—{second}学年{'秋季' if is_autumn(key) else '春季'}学期"


def term_label(key: str) -> str:
    """2023-2024-2 → 2024年春季学期."""
    first, second, _ = key.split("-")
    return f"{first}年秋季学期" if is_autumn(key) else f"{second}年春季学期"
