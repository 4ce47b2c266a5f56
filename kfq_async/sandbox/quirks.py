"""Quirks of the platform that the sandbox imitates, each with a name by which it is switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COLLISIONS", "QUIRKS", "Quirk", "check_quirks"]

COLLISIONS = "collisions"


@frozen
class Quirk:
    """A fault of the platform.

    Attributes:
        name: Lower-case name with hyphens.
        summary: Two short sentences in English, with the measured figure where there is one.
        summary_zh: The same in Chinese.
    """

    name: str
    summary: str
    summary_zh: str


QUIRKS = {
    quirk.name: quirk
    for quirk in (
        Quirk(
            COLLISIONS,
            "Calls that drive contracts and overlap corrupt them, whatever contract or token: of 90 starts sent at "
            "once, 26 were answered with success and 9 were sound. Sent one at a time, 90 of 90 were sound.",
            "推动合同的调用一旦重叠就会相互破坏，与合同、令牌无关：同时发起 90 份，26 份返回成功，其中仅 9 份完好。"
            "逐个调用时，90 份全部完好。",
        ),
    )
}
"""All quirks by name; the source is the reference, sections 1 to 6 (``kfq_async/protocol/README.md``)."""


def check_quirks(names: Iterable[str]) -> frozenset[str]:
    """Return names of quirks; raise `ValueError` for an unknown one, and `TypeError` for one text."""
    if isinstance(names, str):
        raise TypeError("quirks must be a list of names, not one str: write [name]")
    chosen = frozenset(names)
    unknown = sorted(str(name) for name in chosen - QUIRKS.keys())
    if unknown:
        raise ValueError(f"quirks must be among {', '.join(QUIRKS)}, not {', '.join(unknown)}")
    return chosen
