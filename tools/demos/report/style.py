"""Style sheet of the reports: light or dark as the reader's system is, narrow screens included."""

STYLE = """
:root { --quiet: GrayText; --line: color-mix(in srgb, CanvasText 15%, Canvas);
  --panel: color-mix(in srgb, CanvasText 4%, Canvas); }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; }
header, main { max-width: 1180px; margin: 0 auto; padding: 20px; }
h2 { margin-top: 2em; }
h3 { margin: 0 0 .7em; overflow-wrap: anywhere; }
small, figcaption, dt, .lead, .notes, .sound, tr.reference, thead th { color: var(--quiet); }
small, figcaption, dl, .legend, .sound { font-size: .88rem; }
small { font-weight: 400; }
.prose { max-width: 72ch; }
nav, .legend, .row, .sound, dl { display: flex; flex-wrap: wrap; gap: .3em 1.6em; align-items: center; }
.panel, .scroll { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; margin: 0; }
.panel { padding: 16px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .55em 1em; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { border-top: 0; }
tbody th { text-align: left; font-weight: 500; white-space: normal; min-width: 14em; }
tbody th small { display: block; }
td.best { font-weight: 700; color: LinkText; }
tr.reference { font-style: italic; }
.charts, .images, .cards { display: grid; gap: 16px; align-items: start; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.images { grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
figure { margin: 0; min-width: 0; }
img { display: block; width: 100%; height: auto; }
.image { position: relative; border-radius: 4px; overflow: hidden; }
.image svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.truth { color: #34d273; } .found { color: #ff9d1c; } .other { color: #58b4ff; }
.key { width: 1em; height: .8em; border: 2px solid; display: inline-block; margin-right: .5em; }
.image rect { fill: none; stroke: currentColor; stroke-width: 2.2; vector-effect: non-scaling-stroke; }
.image rect.halo { stroke: #000; stroke-opacity: .45; stroke-width: 4.5; }
.image text { fill: currentColor; font-weight: 700; paint-order: stroke; stroke: #000;
  stroke-opacity: .75; stroke-width: .18em; }
audio { height: 36px; width: 260px; max-width: 100%; }
dl { margin: 0; } dl div { display: flex; gap: .5em; } dd { margin: 0; }
@media print { nav, audio { display: none; } .panel { break-inside: avoid; } }
"""
