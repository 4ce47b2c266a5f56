"""Page lists as the platform reads them (protocol section 4.0)."""

from __future__ import annotations

import re

from kfq_async.documents.refusals import PositionRefused, Refusal

__all__ = ["java_integer", "java_split", "select_pages"]

_INTEGER = re.compile(r"[+-]?\d{1,400}")
_MAX_INTEGER = 2**31 - 1


def select_pages(page_config: str | None, page_count: int, control_type: str) -> tuple[int, ...]:
    """Return the 1-based pages that ``pageConfig`` selects for a ``POSITION``, in its order.

    A page that is listed twice occurs twice. ``EVEN_NUMBER`` selects pages 1, 3, 5 and ``ODD_NUMBER`` pages 2, 4, 6
    for every control type but ``CHOP_STAMP``, as the platform does; a ``CHOP_STAMP`` reads a list as ``ALL``.

    Args:
        page_config: ``ALL``, ``EVEN_NUMBER``, ``ODD_NUMBER`` or a list such as ``1,2,7-10``.
        page_count: Number of pages of the document.
        control_type: ``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``.

    Raises:
        PositionRefused: No page (31000), or a list that is malformed or leaves the document (envelope B, 500).
    """
    if not page_config:
        raise PositionRefused("pageConfig", "is missing")
    pages: tuple[int, ...] | range
    chop = control_type == "CHOP_STAMP"
    if page_config == ("EVEN_NUMBER" if chop else "ODD_NUMBER"):
        pages = range(2, page_count + 1, 2)
    elif page_config in {"EVEN_NUMBER", "ODD_NUMBER"}:
        pages = range(1, page_count + 1, 2)
    elif chop or page_config == "ALL":
        pages = range(1, page_count + 1)
    else:
        pages = _listed(page_config, page_count)
    if not pages:
        raise PositionRefused("pageConfig", "selects no page of the document")
    return tuple(pages)


def _listed(page_config: str, page_count: int) -> tuple[int, ...]:
    """Return the pages of an explicit list."""
    ranges = []
    for part in java_split(page_config, ","):
        ends = java_split(part, "-") if "-" in part else [part, part]
        if len(ends) == 1:
            raise PositionRefused("pageConfig", f"has a range without an end: {part!r}", Refusal.INTERNAL)
        if ends:
            ranges.append((_page(ends[0]), _page(ends[1])))
    pages: list[int] = []
    for first, last in ranges:
        if first < 1 <= last:
            raise PositionRefused("pageConfig", "counts pages from 1, not 0")
        if last > page_count and first <= last:
            raise PositionRefused("pageConfig", f"leaves the document of {page_count} pages", Refusal.INTERNAL)
        pages += range(max(first, 1), last + 1)
    return tuple(pages)


def _page(text: str) -> int:
    number = java_integer(text)
    if number is None:
        raise PositionRefused("pageConfig", f"has a part that is not a whole number: {text!r}", Refusal.INTERNAL)
    return number


def java_split(text: str, separator: str) -> list[str]:
    """Split as Java does: trailing empty parts are dropped, leading ones are kept."""
    parts = text.split(separator)
    while parts and not parts[-1]:
        parts.pop()
    return parts


def java_integer(text: str) -> int | None:
    """Read a whole number of 32 bits as Java does: a sign and digits of any script, no blanks; ``None`` for others."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if -_MAX_INTEGER - 1 <= number <= _MAX_INTEGER else None
