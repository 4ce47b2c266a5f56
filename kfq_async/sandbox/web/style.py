"""Style sheet of all pages, for light and dark screens, phones and desktops."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--ink:#1b2433;--soft:#5d6878;--line:#dfe4ec;--page:#f3f5f9;--card:#fff;--blue:#1d5bd6;
--deep:#174bb3;--amber:#8a5300;--bar:#fff4dc;--bar-line:#f1ddb0;--box:#fffaf0;--box-line:#d9b45f;--field-line:#c3cbd8;
--fill:#eef1f6;--pale:#f3f5f9;--chosen:#f2f6ff;--focus:#9dbcf7;--shadow:#1b243326;--mark:#c62828;
--pill:#e9edf4;--pill-ink:#3d4859;--good:#dcf5e5;--good-ink:#12633a;--busy:#fff0cf;--busy-ink:#7a4b00;
--bad:#fde3e1;--bad-ink:#93231b;--notice:#fff6e2;--notice-line:#d9a02f;--on-blue:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#a3aec0;--line:#333d4e;--page:#11161f;--card:#1a212d;
--blue:#7ba7ff;--deep:#9dbeff;--amber:#f1c46f;--bar:#33291a;--bar-line:#54431f;--box:#231e14;--box-line:#7d6328;
--field-line:#4a566a;--fill:#252d3b;--pale:#222a37;--chosen:#1d2a45;--focus:#3f66b5;--shadow:#0006;--mark:#d32f2f;
--pill:#2b3443;--pill-ink:#c8d0de;--good:#17382a;--good-ink:#8be0b2;--busy:#3b2f14;--busy-ink:#f0c877;
--bad:#44201f;--bad-ink:#f5a9a2;--notice:#2d2717;--notice-line:#a57a25;--on-blue:#0d1420}}
*{box-sizing:border-box}
body{font:16px/1.6 system-ui,-apple-system,"PingFang SC","Hiragino Sans GB","Microsoft YaHei","Noto Sans CJK SC",
sans-serif;margin:0;background:var(--page);color:var(--ink);overflow-wrap:anywhere}
.bar{background:var(--bar);color:var(--amber);text-align:center;font-size:.85rem;padding:.45rem 1rem;
border-bottom:1px solid var(--bar-line)}
main{max-width:42rem;margin:2rem auto 3rem;padding:2rem;background:var(--card);border-radius:14px;
box-shadow:0 1px 3px var(--shadow)}
main.wide{max-width:64rem}
h1{font-size:1.4rem;line-height:1.35;margin:0 0 .4rem}
h2{font-size:1.05rem;margin:2.2rem 0 .8rem;display:flex;gap:.8rem;align-items:center;flex-wrap:wrap}
p{margin:.5rem 0}a{color:var(--blue)}
.soft{color:var(--soft);font-size:.9rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:1rem 0}
dt{color:var(--soft)}dd{margin:0;min-width:0}
fieldset{border:0;padding:0;margin:1.8rem 0 0;min-width:0}
legend{font-weight:600;padding:0 0 0 .6rem;margin:0 0 .9rem;border-left:4px solid var(--blue);line-height:1.2}
.grid{display:grid;grid-template-columns:1fr 1fr;gap:1rem 1.2rem}
label{display:block;font-size:.9rem;color:var(--soft);min-width:0}
label .tag{float:right;font-size:.75rem;background:var(--pill);border-radius:4px;padding:0 .4rem}
input:not([type=radio]),select,textarea{display:block;width:100%;min-height:2.75rem;margin-top:.25rem;
padding:.4rem .7rem;
font:inherit;font-size:1rem;color:var(--ink);background:var(--card);border:1px solid var(--field-line);
border-radius:8px}
input[type=hidden]{display:none}
input[readonly]{background:var(--fill);color:var(--soft);border-color:var(--line);cursor:not-allowed}
input:focus-visible,select:focus-visible,textarea:focus-visible,button:focus-visible,a:focus-visible,summary:focus-visible{
outline:3px solid var(--focus);outline-offset:1px}
.choice{display:flex;align-items:center;gap:.7rem;min-height:2.75rem;padding:.4rem .8rem;color:var(--ink);
border:1px solid var(--line);border-radius:8px;margin:0 0 .5rem;font-size:1rem}
.choice:has(:checked){border-color:var(--blue);background:var(--chosen)}
.choice code{margin-left:auto;color:var(--soft)}
input[type=radio]{width:1.1rem;height:1.1rem;margin:0;flex:none;accent-color:var(--blue)}
button,a.button{font:inherit;min-height:2.75rem;padding:.4rem 1.2rem;border-radius:8px;
border:1px solid var(--field-line);
background:var(--card);color:var(--ink);cursor:pointer}
a.button{display:inline-block;text-decoration:none;line-height:1.9}
button:hover{background:var(--pale)}
button.main,a.button.main{background:var(--blue);border-color:var(--blue);color:var(--on-blue);font-weight:600}
button.main:hover,a.button.main:hover{background:var(--deep)}
.actions{display:grid;grid-template-columns:2fr 1fr;gap:.8rem;margin:2rem 0 0}
.box{margin:2rem 0 0;padding:1rem 1.2rem 1.2rem;border:1px dashed var(--box-line);border-radius:10px;
background:var(--box)}
.box legend{border:0;padding:0 .4rem;margin:0;color:var(--amber);font-size:.9rem}
.box .row{margin-top:.7rem}
.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center}
.note{color:var(--soft);font-size:.85rem;border-top:1px solid var(--line);padding-top:1rem;margin:2rem 0 0}
.pill{display:inline-block;font-size:.8rem;line-height:1.6;padding:0 .6rem;border-radius:999px;background:var(--pill);
color:var(--pill-ink);white-space:nowrap}
.pill.good{background:var(--good);color:var(--good-ink)}.pill.busy{background:var(--busy);color:var(--busy-ink)}
.pill.bad{background:var(--bad);color:var(--bad-ink)}
.notice{background:var(--notice);border-left:4px solid var(--notice-line);padding:.5rem .8rem;
border-radius:0 8px 8px 0}
.result{text-align:center;padding:1.5rem 0 .5rem}
.sign{width:4rem;height:4rem;line-height:4rem;border-radius:50%;margin:0 auto 1rem;font-size:2rem;
background:var(--pill);
color:var(--pill-ink)}
.sign.good{background:var(--good);color:var(--good-ink)}.sign.bad{background:var(--bad);color:var(--bad-ink)}
.card{border:1px solid var(--line);border-radius:10px;padding:.9rem 1.1rem;margin:0 0 .8rem}
.card h3{font-size:1rem;margin:0;display:flex;gap:.6rem;justify-content:space-between;align-items:flex-start}
.card p{margin:.25rem 0 0}
.card form{margin:.8rem 0 0}
.card button,h2 button{min-height:2.25rem;padding:.2rem .9rem;font-size:.9rem;font-weight:400}
.card input.short{width:5rem;min-height:2.25rem;display:inline-block;margin:0 .3rem}
.card .row label{display:flex;align-items:center}
ol{list-style:none;margin:.7rem 0 0;padding:.6rem 0 0;border-top:1px solid var(--line);font-size:.9rem}
ol li{display:grid;grid-template-columns:10.5rem 9.5rem 1fr;gap:.2rem .8rem;padding:.2rem 0}
ol li span{min-width:0}
code,pre{font:.85rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono CJK SC",monospace}
pre{white-space:pre-wrap;background:var(--pale);border-radius:8px;padding:.7rem;margin:.5rem 0 0}
summary{cursor:pointer;color:var(--blue);font-size:.9rem}
details{margin:.5rem 0 0}
textarea{resize:vertical}
.languages{float:right;font-size:.9rem}
.search{display:flex;gap:.8rem;align-items:end;margin:1.4rem 0 0}
.search label{flex:0 0 12rem}.search label:first-of-type{flex:1 1 16rem}
.search a{line-height:2.75rem}
@media(max-width:40rem){main,main.wide{margin:0;padding:1.3rem 1rem 2rem;border-radius:0;box-shadow:none;
min-height:calc(100vh - 2.3rem)}
.grid,.actions{grid-template-columns:1fr}.search{display:grid}.search a{line-height:1.6}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}
.card{padding:.8rem}.card button,h2 button,.card input.short{min-height:2.75rem}
ol li{grid-template-columns:1fr auto;border-bottom:1px solid var(--line);padding:.4rem 0}ol li:last-child{border:0}
ol li :nth-child(3){grid-column:1/-1}}
"""
