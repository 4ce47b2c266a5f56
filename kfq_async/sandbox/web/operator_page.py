"""The HTTP side of the page behind ``authUrl``: shown, filled in, and left for ``callbackPage``.

Assumed: the browser goes to ``callbackPage`` after completing, abandoning and review, as it stands in the request,
with no parameters added; an expired order keeps it here.
"""

from __future__ import annotations

from hmac import compare_digest
from html import escape
from typing import TYPE_CHECKING

from aiohttp import web

from kfq_async.sandbox.identity import page_url
from kfq_async.sandbox.orders import (
    ABANDON,
    COMPLETE,
    EXPIRE,
    EXPIRED,
    FINAL,
    IDENTIFIED,
    IN_PROGRESS,
    REVIEW,
    STATUS_AFTER,
    WITHDRAWN,
    china_time,
    request_of,
)
from kfq_async.sandbox.web.addresses import policy_sources, web_address
from kfq_async.sandbox.web.forms import html, read_form, see_other
from kfq_async.sandbox.web.frame import headers, page, refused
from kfq_async.sandbox.web.order_form import order_form
from kfq_async.sandbox.web.texts import STATUS_WORDS, status_pill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from kfq_async.sandbox.identity import OrderService
    from kfq_async.sandbox.store import Order
    from kfq_async.sandbox.web.order_form import FormField, FormSection, OrderForm

__all__ = ["OperatorPage", "identify", "not_found"]


PATH = "/sandbox/identify/{order_no}"


class OperatorPage:
    """The handlers, over one desk."""

    def __init__(self, order_service: OrderService) -> None:
        self._order_service = order_service

    def routes(self) -> list[web.RouteDef]:
        """Return what is served where."""
        return [web.get(PATH, self.show), web.post(PATH, self.act)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the page to whoever has the order's secret."""
        order = self._order(request, request.query.get("code", ""))
        if order is None:
            return html(not_found(), headers(), 404)
        return html(identify(order), _headers(_callback_page(order)))

    async def act(self, request: web.Request) -> web.Response:
        """Do what the pressed button says; pressed twice, it counts once and leads to the same place."""
        form = await read_form(request)
        order = self._order(request, form.get("code", ""))
        if order is None:
            return html(not_found(), headers(), 404)
        action = form.get("action", "")
        if action not in STATUS_AFTER:
            return html(refused("操作无效", "没有这个按钮。"), headers(), 400)
        try:
            self._order_service.act(order.order_no, action, form)
        except ValueError:
            if self._order_service.order(order.order_no).status != STATUS_AFTER[action]:
                return see_other(page_url("", order), headers())
        target = None if action == EXPIRE else _callback_page(order)
        return see_other(page_url("", order) if target is None else str(target), headers())

    def _order(self, request: web.Request, code: str) -> Order | None:
        try:
            order = self._order_service.order(request.match_info["order_no"])
        except LookupError:
            return None
        return order if compare_digest(order.code.encode(), code.encode()) else None


def _callback_page(order: Order) -> URL | None:
    return web_address(request_of(order).get("callbackPage"))


def _headers(target: URL | None) -> dict[str, str]:
    return headers("'self'" if target is None else f"'self' {policy_sources(target)}")


_ENDS = {
    IDENTIFIED: ("good", "✓", "企业已完成实名认证。"),
    WITHDRAWN: ("bad", "×", "经办人放弃了认证，订单已撤销。"),
    EXPIRED: ("bad", "!", "订单已失效，此链接不能再用于认证。"),
}


def identify(order: Order) -> str:
    """Return the form of an order that goes on, or what became of one that is final."""
    return _result(order) if order.status in FINAL else _form(order, order_form(order))


def not_found() -> str:
    """The page for a link that is not, or no longer, valid."""
    return refused("链接无效", "没有这个认证订单，或链接不完整。")


def _form(order: Order, sheet: OrderForm) -> str:
    account = f"<dt>经办人账号</dt><dd>{escape(sheet.account)}</dd>" if sheet.account else ""
    licence = "已随请求提供" if sheet.license else "未提供"
    review = '<p class="notice">已提交，认证中。在沙箱里仍可完成或放弃。</p>' if order.status == IN_PROGRESS else ""
    return page(
        f"企业实名认证 · {order.company_name}",
        f"<h1>企业实名认证</h1><p>请经办人核对以下信息，选择认证方式后提交。</p>{review}"
        f"<dl><dt>认证订单</dt><dd><code>{escape(order.order_no)}</code> {status_pill(order.status)}</dd>"
        f"{account}<dt>营业执照</dt><dd>{licence}</dd></dl>"
        f'<form method="post" action="/sandbox/identify/{escape(order.order_no)}" autocomplete="off">'
        f'<input type="hidden" name="code" value="{escape(order.code)}">'
        f"{''.join(map(_part, sheet.parts))}"
        f'<div class="actions">{_button(COMPLETE, "完成认证", "main")}{_button(ABANDON, "放弃认证")}</div>'
        f"{_sandbox_only(order, sheet)}</form>"
        '<p class="note">开放签没有公开真实页面的内容与流程；此页的字段、按钮和状态变化都是沙箱的假设。</p>',
    )


def _part(part: FormSection) -> str:
    choices = (
        f'<label class="choice"><input type="radio" name="{part.method}" value="{escape(name)}"'
        f"{' checked' if name == part.chosen else ''}>{escape(word)}<code>{escape(name)}</code></label>"
        for name, word in part.methods.items()
    )
    return (
        f'<fieldset><legend>{part.title}</legend><div class="grid">{"".join(map(_blank, part.blanks))}</div></fieldset>'
        f"<fieldset><legend>{part.methods_title}</legend>{''.join(choices)}</fieldset>"
    )


def _blank(blank: FormField) -> str:
    """Return a field; a locked one is a text that cannot be changed, even where a number stands behind it."""
    tag = '<span class="tag">不可修改</span>' if blank.locked else ""
    if blank.choices is not None and not blank.locked:
        return (
            f'<label>{blank.label}<select name="{blank.name}">{_options(blank.choices, blank.value)}</select></label>'
        )
    shown = blank.value if blank.choices is None else blank.choices[blank.value]
    readonly = " readonly" if blank.locked else ""
    return f'<label>{tag}{blank.label}<input type="text" name="{blank.name}" value="{escape(shown)}"{readonly}></label>'


def _options(choices: Mapping[str, str], value: str) -> str:
    return "".join(
        f'<option value="{escape(name)}"{" selected" if name == value else ""}>{escape(word)}</option>'
        for name, word in choices.items()
    )


def _sandbox_only(order: Order, sheet: OrderForm) -> str:
    buttons = "" if order.status == IN_PROGRESS else _button(REVIEW, "提交并转入审核")
    unknown = [name for part in sheet.parts for name in part.unknown]
    remark = f"<p>unmodifiableParams 里有本页没有的字段：{escape('、'.join(unknown))}</p>" if unknown else ""
    return (
        '<fieldset class="box"><legend>仅沙箱可用</legend>'
        '<p class="soft">真实页面没有这些按钮。它们把订单置为认证中（orderStatus 2）或已失效（4），并发送通知。</p>'
        f'{remark}<div class="row">{buttons}{_button(EXPIRE, "使订单失效")}</div></fieldset>'
    )


def _button(action: str, word: str, look: str = "plain") -> str:
    return f'<button class="{look}" name="action" value="{action}">{word}</button>'


def _result(order: Order) -> str:
    look, sign, sentence = _ENDS[order.status or 0]
    when = (
        f"<dt>认证时间</dt><dd>{china_time(order.verified_at, '%Y-%m-%d %H:%M:%S')}</dd>" if order.verified_at else ""
    )
    return page(
        f"{STATUS_WORDS[order.status]} · {order.company_name}",
        f'<div class="result"><div class="sign {look}">{sign}</div><h1>{STATUS_WORDS[order.status]}</h1>'
        f"<p>{sentence}</p></div>"
        f"<dl><dt>企业名称</dt><dd>{escape(order.company_name)}</dd>"
        f"<dt>认证订单</dt><dd><code>{escape(order.order_no)}</code></dd>{when}</dl>"
        f'<p class="note">{_why_here(order)}</p>',
    )


def _why_here(order: Order) -> str:
    """Explain why the browser stays on this page."""
    given = request_of(order).get("callbackPage")
    if not given:
        return "请求里没有 callbackPage，所以停留在此页。可以关闭窗口。"
    if web_address(given) is None:
        return "callbackPage 不是 http 或 https 地址，所以没有跳转。"
    return "此订单已结束，不能再操作。可以关闭窗口。"
