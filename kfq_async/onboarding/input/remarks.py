"""Rows that are no company: headings a second time, totals, signatures, notes, instructions and examples. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kfq_async.onboarding.input.cells import clean_text
from kfq_async.onboarding.input.mapping import same_heading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfq_async.onboarding.input.mapping import Columns

__all__ = ["remark_error"]

_REMARK = re.compile(
    "[(（]?(?:合计|总计|小计|共计|总数|本页合计|共[0-9]+[家户个]|以下空白"
    "|审核人?|复核人?|审批人?|批准人?|制表人?|制单人?|填表人?|填报人?|经手人|负责人|签字|签名|(?:公司|单位)?[盖签]章"
    "|制表日期|填表日期|填报单位|注意?|备注|附注|说明|填写说明|示例|样例|举例|例如?"
    "|total|sum|subtotal|grand total|notes?|remarks?|example|sample|prepared by|checked by|approved by|signature)"
    r"\s*(?:[:：)）]|$)|[(（*]?(?:必填|选填)",
    re.IGNORECASE,
)
"""Start of a cell that is no name: one of these words alone or before a colon, or an instruction."""
_MAX_CELL = 100
"""Characters of a cell that are compared."""


def remark_error(cells: Sequence[str], columns: Columns) -> str:
    """Return an error message if a row is no company, or an empty string.

    A company may be named 合计科技有限公司 or 示例软件有限公司: a word counts only alone or before a colon.
    """
    if _repeats_headings(cells, columns):
        return "repeats the headings; delete the row"
    first = next((index for index, cell in enumerate(cells) if cell.strip()), 0)
    for index in {first, columns.indexes.get("company_name", first)}:
        cell = clean_text(cells[index][:_MAX_CELL])
        if _REMARK.match(cell) or _REMARK.match("".join(cell.split())):  # 合　计 is often spaced
            return "is a total, a signature, a note, an instruction or an example, not a company; delete the row"
    return ""


def _repeats_headings(cells: Sequence[str], columns: Columns) -> bool:
    filled = [index for index in columns.indexes.values() if cells[index].strip()]
    return bool(filled) and all(same_heading(cells[index], columns.headings[index]) for index in filled)
