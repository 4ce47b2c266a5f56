"""Text of others: one printable line, and of the platform's messages only known words."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kfq_async.models import accounts, contracts, identity, notifications
from kfq_async.protocol.codec import camel
from kfq_async.redaction import printable, redact, visible_id, visible_status

if TYPE_CHECKING:
    from types import ModuleType

INVISIBLE = "\x00\t\n\v\f\r\x1b\x1c\x1d\x1e\x7f\x85\x9b\xad\u061c\u200b\u200d\u200f\u2028\u2029\u202e\u2066\ufeff\ud800"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("某某 company", "某某 company"),
        ("a\x1b[2Jb", "a [2Jb"),
        ("a\r\nb\tc", "a  b c"),
        ("\u202e\u2028x", "  x"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """Control characters, line separators and direction marks become blanks; all else is kept."""
    assert printable(text) == shown


@pytest.mark.parametrize("character", INVISIBLE)
def test_characters_that_are_not_printable(character: str) -> None:
    """No line break, control, direction mark, zero-width character or lone surrogate is left."""
    assert printable(f"a{character}b") == "a b"


@given(st.text())
def test_printable_is_one_line(text: str) -> None:
    """Any text becomes one line of the same length."""
    shown = printable(text)
    assert shown.isprintable()
    assert shown.splitlines() in ([], [shown])
    assert len(shown) == len(text)


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("abc", "abc"), ("abcd", "abc…"), ("a\nb" * 9, "a b…")])
def test_printable_with_a_limit(text: str, shown: str) -> None:
    """A longer text is cut, and ends in an ellipsis."""
    assert printable(text, 3) == shown


@pytest.mark.parametrize(
    "message",
    [
        "请勿频繁操作",
        "操作失败，null",
        "应用Token失效，请重新授权!",
        "接口已经停用",
        "ip地址被限制访问",
        "签署人-联系方式-参数缺失",
        "关联文档不存在",
        "不支持的文件类型",
        "文件转换失败",
        "业务处理失败,签署人当前无签署任务",
        "业务处理失败,合同签署状态异常",
        "实例状态为已拒签,不可撤回",
        "沙箱：operator 缺少 name、contact",
        "沙箱：expireDate 须为 yyyy-MM-dd 格式",
        "沙箱：同一 clientRequestId 已用于内容不同的请求",
        "operator.contact 不能为空",
        "expected string @ $.corpIdentInfo.companyName",
        "沙箱：请求字段校验失败：unknown key acountName @ $",
        "沙箱：请求字段校验失败：unknown key acount_name, compnyName @ $.corpIdentInfo",
        "expected a string, not a number @ $.signDocumentList[0].dokId；expected an object, not a list @ $.a[12]",
        "item 12: expected a string, not a number @ $.corpIdentConfig.corpVerifyMethods",
    ],
)
def test_known_messages_are_shown(message: str) -> None:
    """Messages that consist of known words and wire names are shown as they are."""
    assert redact(message) == message


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("", ""),
        ("手机号13800138000已被使用", "手机号…已被使用"),
        ("手机号１３８００１３８０００已被使用", "手机号…已被使用"),
        ("手机号一三八〇〇一三八〇〇〇已被使用", "手机号…已被使用"),
        ("卡号6222 0200 0000 0000 000无效", "…无效"),
        ("信用代码91110000MA01234567不存在", "信用代码…不存在"),
        ("无效：138.0013.8000，请核对", "无效：…，请核对"),
        ("无效：1 3 8 0 0 1 3 8 0 0 0，请核对", "无效：…，请核对"),
        ("无效：home.example.com/auth?code=AbCdEf，请核对", "无效：…，请核对"),
        ("无效：hxxps://h.example/s?name=a，请核对", "无效：…，请核对"),
        ("无效：zhangsan＠example.com，请核对", "无效：…，请核对"),
        ("无效：zhang.san@code，请核对", "无效：…，请核对"),
        ("无效：code@name.com、name=code、/name，请核对", "无效：…，请核对"),
        ("签署人张三，用户O'Brien，用户 Li Lei 已存在", "签署人…，用户…，用户 … 已存在"),
        ("张三不是某某科技有限公司的经办人", ""),
        ("郑成功不存在", "…不存在"),
        ("企业管理咨询有限公司已实名认证", "…已实名认证"),
        ("北京签署文件技术有限公司", ""),
        ("合同id：N-1状态为：已拒签", "合同id：…状态为：已拒签"),
        ("合同id：N-1还存在待完成的签署任务，不能手动结束。", "合同id：…还存在待完成的签署任务，不能手动结束。"),
        ("in deserunt", ""),
        ("unknown key acountName", "unknown key …"),
        ("unknown key 张三, name @ $", "unknown key …, name @ $"),
        ("unknown key 13800138000 @ $", "unknown key … @ $"),
        ("unknown key name, address2 @ $.zhangsan@example.com", "unknown key name, … @ …"),
        ("李四unknown key lisi @ $.subject", "… key … @ $.subject"),
        ("expected a string @ $.张三", "expected a string @ …"),
        ("expected a string @ $.lisi张三", "expected a string @ …"),
        ("expected a string @ $.a[13800]", "expected a string @ $.a[…]"),
        ("expected a string @ lisi.$.name", "expected a string @ …"),
        ("张三@ $.lisi", ""),
        ("item 13800: expected a string", "item …: expected a string"),
        ("item 1380, name", "item …, name"),
        (f"unknown key {'x' * 41} @ $", "unknown key … @ $"),
        ("13800138000", ""),
        ("\x1b[2J\x07失败\r\nERROR forged", " [… 失败  …"),
        ("［2J 已存在", "… 已存在"),
    ],
)
def test_unknown_parts_are_hidden(message: str, shown: str) -> None:
    """Of a clause with anything unknown, a label before it and a verdict after it remain."""
    assert redact(message) == shown


han = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
names = st.text(han, min_size=2, max_size=4).filter(lambda name: redact(name) == "")  # without known words
digits = st.text(st.characters(categories=["Nd"]), min_size=2, max_size=19)
groups = st.lists(digits, min_size=1, max_size=4)
secrets = st.one_of(
    names,
    names.map(lambda name: f"{name}（北京）企业管理咨询有限公司"),
    digits,
    st.builds(lambda separator, parts: separator.join(parts), st.sampled_from([*" .-_,，、·*/()"]), groups),
    st.from_regex(r"[A-Z][a-z]{2,8} [A-Z][a-z]{2,8}", fullmatch=True),
    st.from_regex(r"[A-Z]{3}[0-9][A-Z0-9]{4}", fullmatch=True),
    st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}[@＠][a-z]{1,8}\.com", fullmatch=True),
    st.from_regex(r"(https?://)?[a-z]{1,8}\.com/[A-Za-z]{8}\?code=[A-Za-z]{8}", fullmatch=True),
)
labels = st.sampled_from(["", "手机号", "用户", "企业名称：", "合同 ", "operator.contact ", "业务处理失败,", "“"])
verdicts = st.sampled_from(["", "已被使用", " 不存在", "，请核对", "与", "”", "\n", "的经办人"])


@given(label=labels, secret=secrets, verdict=verdicts)
@example(label="用户", secret="郑成功", verdict="不存在")
def test_secrets_are_hidden(label: str, secret: str, verdict: str) -> None:
    """Neither a number, a name, a link, an address nor a token is shown, nor two characters of it."""
    assume(redact(secret) != secret)  # a name that consists of known words, such as 银行卡
    shown = redact(f"{label}{secret}{verdict}")
    rest = shown.replace(label.strip(), "", 1).replace(verdict.strip(), "", 1)
    assert not {secret[index : index + 2] for index in range(len(secret) - 1)} & {
        rest[index : index + 2] for index in range(len(rest) - 1)
    }
    assert not re.search(r"\d", shown)


@given(st.text() | st.text("手机号已存在不合同operator.cta@：， 1张三…'", max_size=30))
def test_what_is_shown_is_known(message: str) -> None:
    """What is shown consists of known words only, so that showing it again hides nothing more."""
    shown = redact(message)
    assert redact(shown) == shown
    assert shown.isprintable()
    assert not re.search(r"\d", shown)


def test_messages_are_cut_before_they_are_read() -> None:
    """Of a message of megabytes, the beginning alone is read."""
    assert redact("失败，" * 3_000_000) == "失败，" * 100 + "…"
    assert redact("1 " * 4_000_000) == ""


def wire_names(module: ModuleType) -> set[str]:
    """Return the wire names of the fields of a module's models."""
    models = [value for _, value in inspect.getmembers(module, inspect.isclass) if attrs.has(value)]
    return {camel(name) for model in models for name in attrs.fields_dict(model)} - {"extra"}


@pytest.mark.parametrize("module", [accounts, contracts, identity, notifications], ids=lambda module: module.__name__)
def test_wire_names_are_known(module: ModuleType) -> None:
    """Messages may name the field that they are about: every field of a model."""
    assert {name for name in wire_names(module) if redact(name) != name} == set()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("N1", "N1"),
        ("2026_order-7", "2026_order-7"),
        ("1958374650123456789", "1958374650123456789"),
        ("958374650123456789", "958374650123456789"),
        ("0f" * 32, "0f" * 32),
        ("0f" * 32 + "0", "***"),
        ("", "***"),
        ("N1\n", "***"),
        ("张三", "***"),
        ("https://h.example/?token=1", "***"),
        ("13800138000", "***"),
        ("8613800138000", "***"),
        ("order-13800138000", "***"),
        ("1138001380001", "1138001380001"),
        ("110101199001011234", "***"),
        ("11010119900101123X", "***"),
        ("id_11010119900101123x", "***"),
    ],
)
def test_visible_ids(value: str | None, shown: str | None) -> None:
    """Only what has the form of an id is shown, and no mobile or identity number."""
    assert visible_id(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("1", "1"),
        ("-1", "-1"),
        ("123456", "123456"),
        ("1234567", "***"),
        ("13800138000", "***"),
        ("SUBMIT_SIGN", "SUBMIT_SIGN"),
        ("x" * 33, "***"),
        ("张三", "***"),
        ("a b", "***"),
        ("", "***"),
    ],
)
def test_visible_states(value: str | None, shown: str | None) -> None:
    """Only a short number or word is shown as a state."""
    assert visible_status(value) == shown
