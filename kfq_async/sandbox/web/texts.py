"""Texts of the pages in Chinese and English, and the labels that several pages show."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, ClassVar

from kfq_async.models.notifications import IdentityStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LANGUAGES", "Texts", "contract_pill", "language_switch", "status_pill"]

LANGUAGES = {"zh": "zh-CN", "en": "en"}
"""Languages in HTML by the field ``lang``; the first is the default."""

_ORDER_STYLES: Mapping[IdentityStatus | None, str] = {
    None: "plain",
    IdentityStatus.IDENTIFIED: "good",
    IdentityStatus.IN_PROGRESS: "busy",
    IdentityStatus.WITHDRAWN: "bad",
    IdentityStatus.EXPIRED: "bad",
}
_CONTRACT_STYLES = {"COMPLETE": "good", "SIGNING": "busy", "WRITING": "busy", "DRAFT": "plain"}
"""Style of the label of a contract's status; others are ends without a signed contract."""
_COMMON = {
    "other_language": ("English", "中文"),
    # Status of an order of identification: protocol section 5.3.
    "order_new": ("待认证", "not started"),
    "order_1": ("已认证", "identified"),
    "order_2": ("认证中", "in progress"),
    "order_3": ("已撤销", "withdrawn"),
    "order_4": ("已失效", "expired"),
    # Status of a contract: section 6.3.
    "status_DRAFT": ("草稿", "draft"),
    "status_START": ("已发起", "started"),
    "status_WRITING": ("填写中", "being filled in"),
    "status_SIGNING": ("签署中", "being signed"),
    "status_COMPLETE": ("已完成", "complete"),
    "status_REFUSAL_WRIT": ("已拒填", "filling in refused"),
    "status_REFUSAL_SIGN": ("已拒签", "refused"),
    "status_RECALLED": ("已撤回", "withdrawn"),
    "status_EXPIRED": ("已过期", "expired"),
    "status_DELETED": ("已删除", "deleted"),
}


class Texts:
    """Texts of one language; a page with texts of its own has a subclass.

    Attributes:
        entries: Chinese and English text by name.
        lang: Value of the field ``lang``: ``zh`` or ``en``; anything else is ``zh``.
    """

    entries: ClassVar[Mapping[str, tuple[str, str]]] = _COMMON

    def __init__(self, lang: str = "") -> None:
        self.lang: str = lang if lang in LANGUAGES else next(iter(LANGUAGES))
        self._column = list(LANGUAGES).index(self.lang)

    @property
    def html_lang(self) -> str:
        """Language of the page in HTML."""
        return LANGUAGES[self.lang]

    @property
    def other(self) -> str:
        """The other language."""
        return "en" if self.lang == "zh" else "zh"

    def __call__(self, name: str, /, **values: object) -> str:
        """Return a text with its values."""
        return self.entries[name][self._column].format(**values)

    def find(self, name: str, default: str) -> str:
        """Return a text without values, or the default if there is none of this name."""
        return self(name) if name in self.entries else default


def language_switch(url: str, texts: Texts) -> str:
    """Return the link to a page in the other language, as HTML."""
    link = f'<a href="{escape(url)}" hreflang="{texts.other}" lang="{texts.other}">{texts("other_language")}</a>'
    return f'<nav class="languages">{link}</nav>'


def status_pill(status: IdentityStatus | None, texts: Texts) -> str:
    """Return a label for an order's status, as HTML."""
    name = "order_new" if status is None else f"order_{int(status)}"
    return f'<span class="pill {_ORDER_STYLES[status]}">{texts(name)}</span>'


def contract_pill(status: str, texts: Texts) -> str:
    """Return a label for a contract's status, as HTML."""
    text = escape(texts.find(f"status_{status}", status))
    return f'<span class="pill {_CONTRACT_STYLES.get(status, "bad")}">{text}</span>'
