"""How the report looks: in light, in the dark, on a telephone and on paper."""

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--ink:#1b2433;--soft:#5d6878;--line:#dfe4ec;--page:#f3f5f9;--card:#fff;--none:#e9edf4;
--linked:#12805c;--refused:#c2412d;--unknown:#c98a12;--unsent:#7d8a9c;--invalid:#7a5bc2;--time:#1d5bd6}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--soft:#9aa6b8;--line:#313a49;--page:#12161e;--card:#1a202b;
--none:#2a3240;--linked:#3fb68b;--refused:#ec7a68;--unknown:#e2b04a;--unsent:#8f9bad;--invalid:#a990ea;--time:#6f9cf5}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--card:#fff;--none:#eee;
--linked:#12805c;--refused:#c2412d;--unknown:#c98a12;--unsent:#7d8a9c;--invalid:#7a5bc2;--time:#1d5bd6}
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
rect.unknown{fill:var(--unknown)}rect.unsent{fill:var(--unsent)}rect.invalid{fill:var(--invalid)}
rect.time{fill:var(--time)}
li.linked{border-color:var(--linked)}li.refused{border-color:var(--refused)}li.unknown{border-color:var(--unknown)}
li.unsent{border-color:var(--unsent)}li.invalid{border-color:var(--invalid)}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;font-weight:400;vertical-align:top;padding:.35rem 0;border-top:1px solid var(--line)}
tr:first-child>*{border-top:0}td:last-child{text-align:right;padding-left:1rem;white-space:nowrap;
font-variant-numeric:tabular-nums}
dl{margin:0}dt{margin-top:.8rem}dt:first-child{margin-top:0}dt b{font-variant-numeric:tabular-nums}
dd{margin:.1rem 0 0;color:var(--soft);font-size:.9rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
@media(max-width:44rem){main{padding:1.2rem .8rem 2rem}.two{grid-template-columns:1fr}section{padding:1rem .9rem}
.legend{grid-template-columns:1fr 1fr}}
"""
