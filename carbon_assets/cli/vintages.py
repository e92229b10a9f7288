"""Lists of years as they are written on a command line."""

from __future__ import annotations

from carbon_assets.errors import PortfolioError

FIRST, LAST = 1900, 2200


def parse_vintages(written: str) -> list[int]:
    """Read years and ranges such as ``2013-2015,2020``; both ends count.

    Raises:
        PortfolioError: ``VINTAGES_INVALID``.
    """
    years: set[int] = set()
    for part in written.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        years |= set(range(_year(first, written), _year(last if dash else first, written) + 1))
    if not years:
        raise _invalid(written, "the first year comes after the last")
    return sorted(years)


def _year(text: str, written: str) -> int:
    if not (text.isascii() and text.isdigit() and FIRST <= int(text) <= LAST):
        raise _invalid(written, f"'{text}' is not a year")
    return int(text)


def _invalid(written: str, reason: str) -> PortfolioError:
    return PortfolioError(
        "VINTAGES_INVALID",
        f"{written}: {reason}",
        where="--vintages",
        do="write years and ranges such as 2013-2015,2020",
    )
