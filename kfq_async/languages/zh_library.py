"""Chinese of the library's own texts: exceptions, problems of rows, and messages of the parser of options."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TEXTS"]

TEXTS: Mapping[str, str] = {
    "is not a mainland mobile number (11 digits, starting with 13 to 19)": (
        "不是中国大陆手机号（11 位，以 13 至 19 开头）"
    ),
}
"""Chinese by English text; placeholders stand for values, which are translated in turn."""
