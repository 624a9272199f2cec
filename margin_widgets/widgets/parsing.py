"""What a person types, as numbers."""

from __future__ import annotations

import re

_BETWEEN = "[, \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}'\N{RIGHT SINGLE QUOTATION MARK}_]"
_THOUSANDS = re.compile(rf"[-+]?\d{{1,3}}(?:{_BETWEEN}\d{{3}})+(?:\.\d*)?$")
_UNITS = {"quantity": "", "leverage": "x×X", "haircut": "%"}


def parse_number(field: str, text: str) -> float:
    """Read a number as people write it: ``1,000.5``, ``−0.5``, ``10x``, ``5 %``.

    Parameters
    ----------
    field : str
        Named in the error; leverage may carry an ``x``, a haircut is in per cent.
    text : str

    Raises
    ------
    ValueError
        Naming field and text.

    Examples
    --------
    >>> parse_number("quantity", "−1,250.5"), parse_number("leverage", "10×")
    (-1250.5, 10.0)
    """
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    for unit in _UNITS.get(field, ""):
        plain = plain.removesuffix(unit)
    plain = plain.strip()
    if _THOUSANDS.match(plain):
        plain = re.sub(_BETWEEN, "", plain)
    if not plain:
        raise ValueError(f"{field}: empty; type a number")
    try:
        return float(plain)
    except ValueError:
        hint = "; write a point for decimals" if re.fullmatch(r"[-+]?\d+,\d+", plain) else ""
        raise ValueError(f"{field}: {text.strip()!r} is not a number{hint}") from None


def parse_block(text: str) -> list[list[str]]:
    """Cells of a pasted block: tab-separated lines, empty lines left out."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [[cell.strip() for cell in line.split("\t")] for line in lines if line.strip()]
