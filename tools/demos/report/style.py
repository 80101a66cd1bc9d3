"""Style sheet of the reports: light or dark as the reader's system is, narrow screens included."""

STYLE = """
:root {
  --page: #f6f7f8; --panel: #ffffff; --text: #1d2329; --quiet: #5d6872; --line: #dde2e6; --accent: #0b6fa4;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b8860b; --c5: #4b9cd3; --c6: #7a4fbf;
  --c7: #5d6872;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181b; --panel: #1c2226; --text: #e4e8eb; --quiet: #9aa6af; --line: #323a41; --accent: #63b7e6;
    --c0: #56a8e0; --c1: #f08a3c; --c2: #35c59a; --c3: #e09cc4; --c4: #e3bd45; --c5: #9fd0f2; --c6: #b397ee;
    --c7: #9aa6af;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
header, main { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 40px; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4em; text-wrap: balance; }
h2 { font-size: 1.3rem; margin: 2.2em 0 .7em; padding-top: .3em; }
h3 { font-size: 1rem; margin: 0 0 .7em; overflow-wrap: anywhere; }
small { font-size: .8em; color: var(--quiet); font-weight: 400; }
.prose { max-width: 72ch; }
.prose p, .prose ul { margin: 0 0 .8em; }
.lead { color: var(--quiet); font-size: 1.05rem; }
.notes { color: var(--quiet); font-size: .9rem; margin-top: .8em; }
nav { display: flex; flex-wrap: wrap; gap: .3em 1.3em; border-bottom: 1px solid var(--line);
  padding: .4em 0 .8em; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 16px;
  margin: 0; }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .55em 1em; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--quiet); font-weight: 600; font-size: .88rem; }
tbody th { text-align: left; font-weight: 500; white-space: normal; min-width: 14em; }
tbody th small { display: block; }
td.best { font-weight: 700; color: var(--accent); }
tr.reference th, tr.reference td { color: var(--quiet); font-style: italic; }
.charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--quiet); font-size: .85rem; margin-top: .35em; overflow-wrap: anywhere; }
.panel > figcaption { color: var(--text); font-weight: 600; font-size: .95rem; margin: 0 0 .5em; }
.chart { display: block; width: 100%; height: auto; font-size: 12px; }
.chart text { fill: var(--quiet); }
.chart .grid { stroke: var(--line); }
.chart .raw { fill: none; stroke: currentColor; opacity: .3; }
.chart .line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.chart .dot { fill: currentColor; opacity: 0; }
.chart .dot:hover { opacity: 1; }
.chart .dot.mark { opacity: 1; r: 3.5px; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
.legend { display: flex; flex-wrap: wrap; gap: .2em 1.4em; margin: .5em 0 0; font-size: .88rem; }
.key { display: inline-block; width: 1.3em; height: 0; margin-right: .5em; vertical-align: .3em;
  border-top: 3px solid currentColor; }
.key.box { width: 1em; height: .8em; border: 2px solid; vertical-align: -.05em; }
.key.truth { color: #1fae57; } .key.found { color: #f58a07; } .key.other { color: #3d9be9; }
.cards { display: grid; gap: 18px; margin-top: 14px; }
.pictures { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr));
  align-items: start; }
.picture { position: relative; border-radius: 4px; overflow: hidden; }
.picture img { display: block; width: 100%; height: auto; }
.picture svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.picture rect { fill: none; stroke-width: 2.2; vector-effect: non-scaling-stroke; }
.picture rect.halo { stroke: #000; stroke-opacity: .45; stroke-width: 4.5; }
.picture rect.truth { stroke: #34d273; } .picture rect.found { stroke: #ff9d1c; }
.picture rect.other { stroke: #58b4ff; }
.picture text { font-weight: 700; paint-order: stroke; stroke: #000; stroke-opacity: .75;
  stroke-width: .18em; }
.picture text.truth { fill: #5bea93; } .picture text.found { fill: #ffb652; }
.picture text.other { fill: #8fcdff; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .8em 2em; margin-top: 12px; }
.sound { display: flex; align-items: center; gap: .7em; color: var(--quiet); font-size: .85rem;
  flex-wrap: wrap; }
audio { height: 36px; width: 260px; max-width: 100%; }
dl { display: flex; flex-wrap: wrap; gap: .3em 1.6em; margin: 0; font-size: .88rem; }
dl div { display: flex; gap: .5em; }
dt { color: var(--quiet); } dd { margin: 0; font-variant-numeric: tabular-nums; }
main { padding-bottom: 60px; }
@media print { nav, audio { display: none; } .panel { break-inside: avoid; } }
"""
