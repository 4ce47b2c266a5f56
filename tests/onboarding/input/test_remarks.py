"""Rows that are no company."""

from __future__ import annotations

import pytest

from kfq_async.onboarding.input.mapping import Columns
from kfq_async.onboarding.input.remarks import remark_error

COLUMNS = Columns.of(["序号", "企业名称", "信用代码", "账号"])


@pytest.mark.parametrize(
    "cells",
    [
        ["序号", "企业名称", "信用代码", "账号"],
        ["", "\ufeff企业名称", "信用代码 ", "账号"],
        ["合计", "1家", "", ""],
        ["", "总计：", "", ""],
        ["制表人：王某", "", "审核人：赵某", ""],
        ["", "", "", "注：以上账号均为手机号"],
        ["", "必填，与营业执照一致", "必填，18位", ""],
        ["1", "示例：某某公司", "91110000MA01234567", "13800000000"],
        ["1", "（必填）", "", ""],
        ["", "Total", "", ""],
        ["", "总　 计", "", "3"],
        ["", "共 3 家", "", ""],
        ["", "公司盖章：", "", ""],
        ["", "（以下空白）", "", ""],
        ["", "Notes: all accounts are mobiles", "", ""],
    ],
)
def test_no_company(cells: list[str]) -> None:
    """Repeated headings, totals, signatures, notes, instructions and examples are recognised."""
    assert remark_error(cells, COLUMNS).endswith("delete the row")


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "合计科技（深圳）有限公司", "", ""],
        ["1", "示例软件有限公司", "", ""],
        ["1", "共3家人餐饮店", "", ""],
        ["1", "章某某食品店", "", ""],
        ["1", "Total Energies Ltd", "", ""],
        ["", "企业名称", "91110000600037341L", ""],
        ["1", "注册登记代理有限公司", "", ""],
        ["1", "某某公司", "", "注：无"],
        ["", "", "", ""],
    ],
)
def test_companies(cells: list[str]) -> None:
    """A company may have such a word in its name."""
    assert remark_error(cells, COLUMNS) == ""


def test_table_without_names() -> None:
    """The first cell of a row counts where no column is for names."""
    columns = Columns.of(["账号"])
    assert remark_error(["合计"], columns)
    assert not remark_error(["13800138000"], columns)
