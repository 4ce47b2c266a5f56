"""HTML report of a run: one self-contained page with counts and row numbers, and no personal data. Pure."""

from __future__ import annotations

from datetime import datetime, tzinfo
from html import escape
from typing import TYPE_CHECKING

from kfq_async.languages import Language, current_language, gettext, ngettext, translate, use_language
from kfq_async.models.zones import CHINA
from kfq_async.onboarding.output.charts import Segment, column_chart, label_interval, stacked_bar
from kfq_async.onboarding.output.statistics import MAX_ATTEMPTS
from kfq_async.onboarding.output.texts import IDENTITY_STATUS_TEXTS, identity_status_text, state_text
from kfq_async.onboarding.records import OutcomeStatus, State
from kfq_async.protocol.codes import classify_code
from kfq_async.protocol.envelope import Envelope, EnvelopeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kfq_async.onboarding.output.statistics import RowNumbers, Statistics

__all__ = ["STYLE", "report"]

_STATES = (State.LINKED, State.REFUSED, State.UNKNOWN, State.PENDING)
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
_HTML_LANGUAGES = {"en": "en", "zh": "zh-CN"}
_RANGE_DASH = "\N{NON-BREAKING HYPHEN}"


def report(statistics: Statistics, *, made_at: float, zone: tzinfo = CHINA, language: Language = "zh") -> str:
    """Return the HTML page of a run's statistics.

    Args:
        statistics: Statistics of all entries of the ledger and of the invalid rows.
        made_at: Time of the report, in seconds since the epoch.
        zone: Time zone in which times are shown. Default: UTC+8.
        language: ``zh`` (default) or ``en``.
    """
    with use_language(language):
        return _page(statistics, made_at, zone)


def _page(statistics: Statistics, made_at: float, zone: tzinfo) -> str:
    sections = [
        _outcomes(statistics),
        f'<div class="two">{_throughput(statistics, zone)}{_latency(statistics)}</div>',
        f'<div class="two">{_identity_statuses(statistics)}{_attempts(statistics)}</div>',
        _refused(statistics),
        _unknown(statistics),
        _section(gettext("Invalid rows"), _problems(statistics.problems)),
        _section(gettext("Rows with warnings"), _problems(statistics.warnings)),
    ]
    title = escape(gettext("Identification links: report of a run"))
    made = f"{_format_time(made_at, zone)} {_zone_name(made_at, zone)}"
    return (
        f'<!doctype html>\n<html lang="{_HTML_LANGUAGES[current_language()]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>"
        f'<p class="soft">{made} · {escape(gettext("counts and row numbers only"))}</p>'
        f"{''.join(sections)}</main></body></html>\n"
    )


def _zone_name(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Z")


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _outcomes(statistics: Statistics) -> str:
    """Show all rows as one bar, and the count of each outcome."""
    outcomes: list[tuple[int, str]] = [(statistics.states[state], state) for state in _STATES]
    outcomes.append((statistics.invalid.count, OutcomeStatus.INVALID))
    chart = stacked_bar([Segment(count, state_text(state), state) for count, state in outcomes])
    legend = "".join(
        f'<li class="{state}"><b>{count:,}</b>{escape(state_text(state))}'
        f'<div class="soft">{_percentage(count, statistics.rows)}</div></li>'
        for count, state in outcomes
    )
    title = ngettext("Outcomes of one row", "Outcomes of {count:,} rows", statistics.rows)
    return _section(title, f'{chart}<ul class="legend">{legend}</ul>')


def _percentage(count: int, total: int) -> str:
    """Return a percentage, which is 100 or 0 only if it is exactly that."""
    if count in {0, total}:
        return "100 %" if count else "0 %"
    return f"{min(max(100 * count / total, 0.1), 99.9):.1f} %"


def _throughput(statistics: Statistics, zone: tzinfo) -> str:
    """Show calls by their end time."""
    buckets = statistics.throughput.buckets()
    if not buckets:
        return _section(gettext("Throughput"), _none())
    width = statistics.throughput.width
    first, last = buckets[0][0], buckets[-1][0] + width
    span = f"{_format_time(first, zone)} – {_format_time(last, zone)} {_zone_name(first, zone)}"
    style = _tick_format(width, last - first)
    ticks = [
        (index, datetime.fromtimestamp(buckets[index][0], zone).strftime(style))
        for index in range(0, len(buckets), label_interval(len(buckets)))
    ]
    chart = column_chart(
        [count for _, count in buckets],
        ticks,
        description=gettext("throughput, {span}", span=span),
        y_label=gettext("rows per {seconds}", seconds=_format_duration(width)),
        x_label=gettext("time ({zone})", zone=_zone_name(first, zone)),
        css_class="time",
    )
    return _section(gettext("Throughput"), f'{chart}<p class="soft">{escape(span)}</p>')


def _tick_format(width: float, span: float) -> str:
    """Return the ``strftime`` format of tick labels: no finer than a bucket, no coarser than the span needs."""
    if span > 86400:
        return "%m-%d" if width >= 86400 else "%m-%d %Hh"
    return "%H:%M" if width >= 60 else "%H:%M:%S"


def _format_time(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def _format_duration(seconds: float) -> str:
    """Return a duration with its unit, such as ``1.3 s``."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    value = seconds / size
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f}".removesuffix(".0") + f" {unit}"


def _latency(statistics: Statistics) -> str:
    """Show calls by their duration, on a logarithmic scale."""
    doublings = statistics.latency.doublings()
    if not doublings:
        return _section(gettext("Latency"), _none())
    interval = max(-(-len(doublings) // 5), 1)
    quantiles = " · ".join(
        f"{name} <b>{_format_duration(seconds)}</b>"
        for name, fraction in ((gettext("median"), 0.5), ("p90", 0.9), ("p99", 0.99))
        if (seconds := statistics.latency.quantile(fraction)) is not None
    )
    chart = column_chart(
        [count for _, count in doublings],
        [(index, _format_duration(doublings[index][0])) for index in range(0, len(doublings), interval)],
        description=gettext("latency of calls"),
        y_label=gettext("rows"),
        x_label=gettext("time per row (log scale)"),
        css_class="linked",
    )
    return _section(gettext("Latency"), f"{chart}<p>{quantiles}</p>")


def _none() -> str:
    return f'<p class="soft">{escape(gettext("none"))}</p>'


def _table(rows: Iterable[tuple[str, int]]) -> str:
    """Return a table of labels, in HTML, and counts."""
    cells = "".join(f'<tr><th scope="row">{label}</th><td>{count:,}</td></tr>' for label, count in rows)
    return f"<table>{cells}</table>"


def _identity_statuses(statistics: Statistics) -> str:
    """Show linked rows by the status of the latest notification."""
    counts = dict(statistics.identity_statuses)
    rows = [(escape(identity_status_text(status)), counts.pop(status, 0)) for status in IDENTITY_STATUS_TEXTS]
    if counts:
        rows.append((escape(gettext("other")), sum(counts.values())))
    return _section(gettext("Identification of linked rows"), _table(rows))


def _attempts(statistics: Statistics) -> str:
    """Show calls by their number of attempts."""
    rows = []
    for attempts, count in sorted(statistics.attempts.items()):
        if attempts == MAX_ATTEMPTS:
            label = gettext("{count} attempts or more", count=attempts)
        else:
            label = ngettext("1 attempt", "{count} attempts", attempts)
        rows.append((escape(label), count))
    return _section(gettext("Attempts per row"), _table(rows) if rows else _none())


def _refused(statistics: Statistics) -> str:
    """Show refused rows by the platform's error code."""
    groups = [
        (f"<b>{'–' if code is None else code}</b> {escape(translate(_code_meaning(code)))}", rows)
        for code, rows in statistics.refused.items()
    ]
    return _section(gettext("Refused rows, by error code"), _row_groups(groups))


def _code_meaning(code: int | None) -> str:
    return classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)[1]


def _unknown(statistics: Statistics) -> str:
    """Show the rows whose result is unknown."""
    advice = escape(gettext("run the same command again to retry with the same ids"))
    return _section(gettext("Unknown rows"), _row_groups([(advice, statistics.unknown)]))


def _problems(kinds: Mapping[tuple[str, str], RowNumbers]) -> str:
    """Show rows by problem."""
    return _row_groups(
        [
            (f"{f'<b>{escape(column)}</b> ' if column else ''}{escape(translate(message))}", rows)
            for (column, message), rows in kinds.items()
        ]
    )


def _row_groups(groups: Sequence[tuple[str, RowNumbers]]) -> str:
    """Show lists of row numbers under labels in HTML, the longest list first."""
    items = [
        f"<dt>{label} · {rows.count:,}</dt><dd>{_row_ranges(rows)}</dd>"
        for label, rows in sorted(groups, key=lambda group: -group[1].count)
        if rows.count
    ]
    return f"<dl>{''.join(items)}</dl>" if items else _none()


def _row_ranges(rows: RowNumbers) -> str:
    ranges = ", ".join(str(first) if first == last else f"{first}{_RANGE_DASH}{last}" for first, last in rows.ranges())
    shown = escape(ngettext("row {rows}", "rows {rows}", rows.count, rows=ranges))
    return f"{shown} {escape(gettext('and {count:,} more', count=rows.more))}" if rows.more else shown


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
p{margin:.3rem 0}.soft{color:var(--soft);font-size:.85rem}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.2rem;margin:1rem 0 0}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 1rem}.two>section{min-width:0}
.bar{display:block;width:100%;height:1.6rem;border-radius:6px}
.legend{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.8rem 1rem;list-style:none;padding:0;
margin:1.1rem 0 0}
.legend li{border-left:4px solid var(--none);padding-left:.7rem;line-height:1.35}
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
