"""The report of a run: one page of HTML that needs nothing else. Counts and row numbers, no person's data. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from html import escape
from typing import TYPE_CHECKING

from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.output.charts import Segment, apart, bar, columns
from kfq_async.onboarding.output.statistics import MOST_ATTEMPTS
from kfq_async.onboarding.records import State
from kfq_async.protocol.codes import classify_code
from kfq_async.protocol.envelope import Envelope, EnvelopeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kfq_async.onboarding.output.statistics import Numbers, Statistics

__all__ = ["CHINA", "STYLE", "report"]


CHINA = timezone(timedelta(hours=8))
"""China has one zone, and no summer time."""

_STATES = {
    State.LINKED: ("已获链接", "linked"),
    State.REFUSED: ("被平台拒绝", "refused"),
    State.UNKNOWN: ("结果未知", "unknown"),
    State.PENDING: ("待申请", "pending"),
}
_INVALID = ("数据无效", "invalid, never sent")
_IDENTITIES: dict[int | None, tuple[str, str]] = {
    IdentityStatus.IDENTIFIED: ("已认证", "identified"),
    IdentityStatus.IN_PROGRESS: ("认证中", "in progress"),
    IdentityStatus.WITHDRAWN: ("已撤销", "withdrawn"),
    IdentityStatus.EXPIRED: ("已失效", "expired"),
    None: ("暂无消息", "no news"),
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
_DASH = "\N{NON-BREAKING HYPHEN}"


def report(statistics: Statistics, *, made_at: float, zone: tzinfo = CHINA) -> str:
    """Return the page; ``made_at`` is in seconds since the epoch, and times are shown as in ``zone``."""
    sections = [
        _outcomes(statistics),
        f'<div class="two">{_throughput(statistics, zone)}{_latencies(statistics)}</div>',
        f'<div class="two">{_identities(statistics)}{_attempts(statistics)}</div>',
        _refused(statistics),
        _unknown(statistics),
        _invalid(statistics),
    ]
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<title>企业认证链接 · 批量报告</title><style>{STYLE}</style></head>\n<body><main>"
        f"<h1>{_both('企业认证链接 · 批量报告', 'Identification links, report of a run')}</h1>"
        f'<p class="soft">{_when(made_at, zone)} {_zone(made_at, zone)} · '
        f"{_both('仅含数量与行号', 'counts and row numbers only')}</p>{''.join(sections)}</main></body></html>\n"
    )


def _both(chinese: str, english: str) -> str:
    return f"{escape(chinese)} {_english(english)}"


def _english(words: str) -> str:
    return f'<span lang="en">{escape(words)}</span>'


def _zone(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Z")


def _section(chinese: str, english: str, content: str) -> str:
    return f"<section><h2>{_both(chinese, english)}</h2>{content}</section>"


def _outcomes(statistics: Statistics) -> str:
    """Show all rows as one bar, and how many of them ended how."""
    kinds = [(statistics.states[state], str(state), *words) for state, words in _STATES.items()]
    kinds.append((statistics.invalid.count, "invalid", *_INVALID))
    picture = bar([Segment(count, f"{chinese} {english}", style) for count, style, chinese, english in kinds])
    legend = "".join(
        f'<li class="{style}"><b>{count:,}</b>{_both(chinese, english)}'
        f'<div class="soft">{_share(count, statistics.rows)}</div></li>'
        for count, style, chinese, english in kinds
    )
    return _section(
        f"结果：共 {statistics.rows:,} 行",
        f"outcomes of {statistics.rows:,} rows",
        f'{picture}<ul class="legend">{legend}</ul>',
    )


def _share(count: int, total: int) -> str:
    """Return the percentage, which is 100 and 0 only where it is exactly that."""
    if count in {0, total}:
        return "100 %" if count else "0 %"
    return f"{min(max(100 * count / total, 0.1), 99.9):.1f} %"


def _throughput(statistics: Statistics, zone: tzinfo) -> str:
    """Show when calls ended."""
    parts = statistics.timeline.parts()
    if not parts:
        return _section("进度", "throughput", _nothing())
    width = statistics.timeline.width
    first, last = parts[0][0], parts[-1][0] + width
    words = f"{_when(first, zone)} – {_when(last, zone)} {_zone(first, zone)}"
    every = apart(len(parts))
    form = _form(width, last - first)
    ticks = [
        (place, datetime.fromtimestamp(parts[place][0], zone).strftime(form)) for place in range(0, len(parts), every)
    ]
    picture = columns(
        [count for _, count in parts],
        ticks,
        words=f"throughput, {words}",
        upright=f"行 / {_span(width)} · rows per {_span(width)}",
        along=f"时间 time ({_zone(first, zone)})",
        style="time",
    )
    return _section("进度", "throughput", f'{picture}<p class="soft">{escape(words)}</p>')


def _form(width: float, span: float) -> str:
    """Return how a time is shown beside others: no finer than the parts, no coarser than it needs."""
    if span > 86400:
        return "%m-%d" if width >= 86400 else "%m-%d %Hh"
    return "%H:%M" if width >= 60 else "%H:%M:%S"


def _when(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def _span(seconds: float) -> str:
    """Return a time with its unit, as ``1.3 s``."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    value = seconds / size
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f}".removesuffix(".0") + f" {unit}"


def _latencies(statistics: Statistics) -> str:
    """Show how long calls took, on a scale that doubles."""
    parts = statistics.latencies.doublings()
    if not parts:
        return _section("耗时", "latency", _nothing())
    every = max(-(-len(parts) // 5), 1)
    quantiles = " · ".join(
        f"{name} <b>{_span(seconds)}</b>"
        for name, part in (("中位数 median", 0.5), ("p90", 0.9), ("p99", 0.99))
        if (seconds := statistics.latencies.quantile(part)) is not None
    )
    picture = columns(
        [count for _, count in parts],
        [(place, _span(parts[place][0])) for place in range(0, len(parts), every)],
        words="latency of calls",
        upright="行 rows",
        along="每次请求耗时，逐格加倍 · time of a call, doubling",
        style="linked",
    )
    return _section("耗时", "latency", f"{picture}<p>{quantiles}</p>")


def _nothing() -> str:
    return f'<p class="soft">{_both("无", "none")}</p>'


def _table(rows: Iterable[tuple[str, int]]) -> str:
    """Show counts; the first column is HTML already."""
    shown = "".join(f'<tr><th scope="row">{words}</th><td>{count:,}</td></tr>' for words, count in rows)
    return f"<table>{shown}</table>"


def _identities(statistics: Statistics) -> str:
    """Show who has finished, as far as notifications told."""
    counts = dict(statistics.identities)
    rows = [(_both(*words), counts.pop(status, 0)) for status, words in _IDENTITIES.items()]
    if counts:
        rows.append((_both("其他状态", "other"), sum(counts.values())))
    return _section("认证进展", "identification of the linked", _table(rows))


def _attempts(statistics: Statistics) -> str:
    """Show how often calls were repeated."""
    rows = [
        (_both(f"{times}{'+' if times == MOST_ATTEMPTS else ''} 次请求", "requests" if times > 1 else "request"), count)
        for times, count in sorted(statistics.attempts.items())
    ]
    return _section("请求次数", "attempts of a call", _table(rows) if rows else _nothing())


def _refused(statistics: Statistics) -> str:
    """Show what the platform refused, by its number."""
    groups = [
        (f"<b>{'–' if code is None else code}</b> {_english(_meaning(code))}", numbers)
        for code, numbers in statistics.refused.items()
    ]
    return _section("被平台拒绝的行", "refused rows, by the platform’s number", _groups(groups))


def _meaning(code: int | None) -> str:
    return classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)[1]


def _unknown(statistics: Statistics) -> str:
    """Show the rows to ask for again."""
    words = _both("重新运行同一命令即以相同编号再次请求", "the same command asks again, under the same ids")
    return _section("结果未知的行", "unknown rows", _groups([(words, statistics.unknown)]))


def _invalid(statistics: Statistics) -> str:
    """Show the rows that were not sent, by what is wrong with them."""
    groups = [
        (f"<b>{escape(column)}</b> {escape(words)}", numbers)
        for (column, words), numbers in statistics.problems.items()
    ]
    return _section("无效的行", "invalid rows", _groups(groups))


def _groups(groups: Sequence[tuple[str, Numbers]]) -> str:
    """Show lists of rows, the longest first; the words are HTML already."""
    shown = [
        f"<dt>{words} · {numbers.count:,}</dt><dd>{_places(numbers)}</dd>"
        for words, numbers in sorted(groups, key=lambda group: -group[1].count)
        if numbers.count
    ]
    return f"<dl>{''.join(shown)}</dl>" if shown else _nothing()


def _places(numbers: Numbers) -> str:
    shown = ", ".join(str(first) if first == last else f"{first}{_DASH}{last}" for first, last in numbers.ranges())
    return f"{shown} {_both(f'另有 {numbers.more:,} 行', f'and {numbers.more:,} more')}" if numbers.more else shown


STYLE = """
:root{color-scheme:light dark;--ink:#1b2433;--soft:#5d6878;--line:#dfe4ec;--page:#f3f5f9;--card:#fff;--none:#e9edf4;
--linked:#12805c;--refused:#c2412d;--unknown:#c98a12;--pending:#7d8a9c;--invalid:#7a5bc2;--time:#1d5bd6}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--soft:#9aa6b8;--line:#313a49;--page:#12161e;--card:#1a202b;
--none:#2a3240;--linked:#3fb68b;--refused:#ec7a68;--unknown:#e2b04a;--pending:#8f9bad;--invalid:#a990ea;--time:#6f9cf5}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--card:#fff;--none:#eee;
--linked:#12805c;--refused:#c2412d;--unknown:#c98a12;--pending:#7d8a9c;--invalid:#7a5bc2;--time:#1d5bd6}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}section{break-inside:avoid}}
*{box-sizing:border-box}
body{font:16px/1.6 system-ui,-apple-system,"PingFang SC","Hiragino Sans GB","Microsoft YaHei","Noto Sans CJK SC",
sans-serif;margin:0;background:var(--page);color:var(--ink);overflow-wrap:anywhere}
main{max-width:64rem;margin:0 auto;padding:2rem 1.2rem 3rem}
h1{font-size:1.5rem;line-height:1.3;margin:0}h2{font-size:1.05rem;line-height:1.4;margin:0 0 .8rem}
[lang=en]{color:var(--soft);font-weight:400;font-size:.85em}
p{margin:.3rem 0}.soft{color:var(--soft);font-size:.85rem}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.2rem;margin:1rem 0 0}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 1rem}.two>section{min-width:0}
.bar{display:block;width:100%;height:1.6rem;border-radius:6px}
.legend{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.8rem 1rem;list-style:none;padding:0;
margin:1.1rem 0 0}
.legend li{border-left:4px solid var(--none);padding-left:.7rem;line-height:1.35}
.legend [lang=en]{display:block}
.legend b{display:block;font-size:1.45rem;line-height:1.2;font-variant-numeric:tabular-nums}
.chart{display:block;width:100%;height:auto}
.chart text{fill:var(--soft);font-size:10.5px;text-anchor:start;font-variant-numeric:tabular-nums}
.chart text.end{text-anchor:end}.chart text.middle{text-anchor:middle}
.grid{stroke:var(--line);stroke-width:.7}.axis{stroke:var(--soft);stroke-width:1;fill:none}
rect.none{fill:var(--none)}rect.linked{fill:var(--linked)}rect.refused{fill:var(--refused)}
rect.unknown{fill:var(--unknown)}rect.pending{fill:var(--pending)}rect.invalid{fill:var(--invalid)}
rect.time{fill:var(--time)}
li.linked{border-color:var(--linked)}li.refused{border-color:var(--refused)}li.unknown{border-color:var(--unknown)}
li.pending{border-color:var(--pending)}li.invalid{border-color:var(--invalid)}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;font-weight:400;vertical-align:top;padding:.35rem 0;border-top:1px solid var(--line)}
tr:first-child>*{border-top:0}td:last-child{text-align:right;padding-left:1rem;white-space:nowrap;
font-variant-numeric:tabular-nums}
dl{margin:0}dt{margin-top:.8rem}dt:first-child{margin-top:0}dt b{font-variant-numeric:tabular-nums}
dd{margin:.1rem 0 0;color:var(--soft);font-size:.9rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
@media(max-width:44rem){main{padding:1.2rem .8rem 2rem}.two{grid-template-columns:1fr}section{padding:1rem .9rem}
.legend{grid-template-columns:1fr 1fr}}
"""
