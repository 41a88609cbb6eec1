"""How a report looks: one style sheet, dark and light, on paper and on a telephone. Pure.

All colours of text have a contrast of at least 4.5:1 with what is behind them, and none says what a word does not.
"""

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --panel: #f6f8fa; --line: #d1d9e0; --text: #1f2328;
  --quiet: #59636e; --good: #1a7f37; --bad: #c21c28; --busy: #0a5fc4; --warning: #8a5a00; --changing: #7a45d1;
  --plain: #59636e; --good-soft: #dafbe1; --bad-soft: #ffebe9; --busy-soft: #ddf4ff; --warning-soft: #fff4cf;
  --changing-soft: #f3ebff; --plain-soft: #eef1f4; --gap: #eef1f4 }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --panel: #151b23; --line: #3d444d; --text: #e6edf3;
  --quiet: #9aa4af; --good: #3fb950; --bad: #ff7b72; --busy: #58a6ff; --warning: #d9a531; --changing: #bb95ff;
  --plain: #9aa4af; --good-soft: #12301c; --bad-soft: #3d1a1d; --busy-soft: #12283f; --warning-soft: #33290f;
  --changing-soft: #2a2040; --plain-soft: #21262d; --gap: #1c222a } }
* { box-sizing: border-box }
html { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; background: var(--paper);
  color: var(--text); -webkit-text-size-adjust: 100% }
body { margin: 0 auto; padding: 32px 24px 64px; max-width: 1120px; overflow-wrap: anywhere }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -.01em }
h2 { font-size: 18px; margin: 40px 0 12px }
h3 { font-size: 13px; margin: 20px 0 6px; color: var(--quiet); font-weight: 600 }
p { margin: 0 0 8px }
a { color: inherit; text-decoration-color: var(--quiet); text-underline-offset: 3px }
a:hover { text-decoration-color: currentColor }
:focus-visible { outline: 2px solid var(--busy); outline-offset: 2px; border-radius: 3px }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 12.5px }
.quiet { color: var(--quiet) } .small { font-size: 13px }
.good { color: var(--good) } .bad { color: var(--bad) } .busy { color: var(--busy) }
  .warning { color: var(--warning) }
.changing { color: var(--changing) } .plain { color: var(--plain) } .strong { font-weight: 600 }
.pill { display: inline-block; padding: 1px 10px; border-radius: 999px; font-weight: 600; font-size: 13px;
  white-space: nowrap; border: 1px solid currentColor }
.pill.good { background: var(--good-soft) } .pill.bad { background: var(--bad-soft) }
.pill.busy { background: var(--busy-soft) } .pill.warning { background: var(--warning-soft) }
.pill.changing { background: var(--changing-soft) } .pill.plain, .pill.quiet { background: var(--plain-soft) }
header div { margin-top: 10px } header div p { margin: 0 }
header .facts { color: var(--quiet); margin: 10px 0 0 } header .facts span { white-space: nowrap }
header .facts span + span::before { content: " · " }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 24px 0 0 }
.card { border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; background: var(--panel) }
.card b { display: block; font-size: 24px; line-height: 1.3; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums }
.card .title { font-size: 13px; color: var(--quiet) } .card p { font-size: 13px; color: var(--quiet);
  margin: 2px 0 0 }
.bar { display: block; width: 100%; height: 8px; margin: 10px 0 2px; border-radius: 4px;
  background: var(--plain-soft) }
.needs { list-style: none; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden }
.needs li { padding: 10px 16px; border-left: 4px solid var(--plain) }
  .needs li + li { border-top: 1px solid var(--line) }
.needs li.bad { border-left-color: var(--bad) } .needs li.warning { border-left-color: var(--warning) }
.needs li { color: var(--text) }
.needs .pill { margin-right: 8px } .needs .pill.bad { color: var(--bad) }
.needs .pill.warning { color: var(--warning) } .needs .pill.good { color: var(--good) } .needs p { margin: 4px 0 0 }
.needs .quiet { color: var(--quiet) }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 6px 12px; vertical-align: top; overflow-wrap: break-word }
thead th { font-size: 12px; font-weight: 600; color: var(--quiet); background: var(--panel); white-space: nowrap }
tbody tr { border-top: 1px solid var(--line) } td.number, th.number { text-align: right; white-space: nowrap }
td.word { white-space: nowrap } tbody th { font-weight: 600 } tr.group th { background: var(--panel);
  font-size: 13px }
tr.group .quiet { font-weight: 400 } td.says { color: var(--quiet); font-size: 13px }
  tfoot { font-weight: 600; white-space: nowrap }
tfoot tr { border-top: 2px solid var(--line) } td .id { font-weight: 600; white-space: nowrap }
.timeline { table-layout: fixed } .timeline th { width: 190px; font-size: 13px; padding: 3px 12px;
  white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis } .timeline td { padding: 3px 12px 3px 0 }
.timeline tr { border: 0 } .timeline svg { display: block; width: 100%; height: 16px; overflow: visible }
.timeline tfoot svg { height: 18px } .timeline tfoot tr { border-top: 1px solid var(--line) }
.timeline .name { font-weight: 400; color: var(--quiet) }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet) }
.s-good { fill: var(--good) } .s-bad { fill: var(--bad) } .s-busy { fill: var(--busy) }
  .s-warning { fill: var(--warning) }
.s-changing { fill: var(--changing) } .s-plain, .s-quiet, .s-strong { fill: var(--plain) } .s-checks { opacity: .55 }
.s-waits { fill: var(--line) } .s-gap { fill: var(--gap) } .s-rest { fill: var(--line) }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 2px 0; font-size: 12px; color: var(--quiet) }
.legend svg { width: 12px; height: 10px; margin-right: 6px }
.graph { padding: 16px } @media (min-width: 900px) { .graph .fits { max-width: 100%; height: auto } }
.graph svg { display: block } .graph rect { fill: var(--paper); stroke: var(--line) }
.graph path { fill: none; stroke: var(--line); stroke-width: 1.5 } .graph text { font-size: 12px; fill: var(--text) }
.graph .sign { font-weight: 700 } .graph .name { fill: var(--quiet); font-size: 11px }
  .graph .n-good { stroke: var(--good) }
.graph .n-bad { stroke: var(--bad); stroke-width: 2 } .graph .n-busy { stroke: var(--busy) }
.graph .n-warning { stroke: var(--warning) } .graph .n-changing { stroke: var(--changing) }
.task { border: 1px solid var(--line); border-radius: 10px; margin: 0 0 8px; scroll-margin-top: 16px }
.task > summary { padding: 8px 14px; cursor: pointer; border-radius: 10px; display: flex; flex-wrap: wrap;
  gap: 2px 12px;
  align-items: baseline } .task > summary:hover { background: var(--panel) }
.task > summary::before { content: "▸"; color: var(--quiet) } .task[open] > summary::before { content: "▾" }
.task > summary::-webkit-details-marker { display: none } .task .body { padding: 2px 16px 16px }
.task .what { flex: 1 1 240px } .task .figures { color: var(--quiet); font-size: 13px;
  font-variant-numeric: tabular-nums }
.more > summary { cursor: pointer; padding: 8px 2px; font-weight: 600 }
  .more > summary:hover { text-decoration: underline }
.fold { border: 1px solid var(--line); border-radius: 10px; margin: 0 0 8px } .fold > summary { cursor: pointer;
  padding: 8px 14px; display: flex; flex-wrap: wrap; gap: 2px 12px }
  .fold > summary:hover { background: var(--panel) }
.fold .wide { border: 0; border-top: 1px solid var(--line); border-radius: 0 } .fold .what { flex: 1 1 200px;
  font-weight: 600 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 8px 0 0; font-size: 14px }
dt { color: var(--quiet) } dd { margin: 0; min-width: 0 }
pre { margin: 0; padding: 12px 14px; background: var(--panel); border-radius: 8px; white-space: pre-wrap;
  overflow-wrap: anywhere;
  line-height: 1.45; tab-size: 4 } pre.bad { background: var(--bad-soft); color: var(--text) }
.answer { white-space: pre-wrap; border-left: 3px solid var(--line); padding: 2px 0 2px 14px; margin: 0 }
.files { columns: 2 260px; margin: 0; padding-left: 18px; font-size: 13px }
footer { margin-top: 48px; color: var(--quiet); font-size: 13px; border-top: 1px solid var(--line);
  padding-top: 12px }
@media (max-width: 640px) {
  body { padding: 20px 14px 40px } h1 { font-size: 22px } .cards { grid-template-columns: 1fr 1fr; gap: 8px }
  .card { padding: 10px 12px } .card b { font-size: 19px } th, td { padding: 6px 8px } .timeline th { width: 74px;
  padding: 3px 8px } td:has(.id) { min-width: 130px } td.says { min-width: 180px }
  .timeline .name, .odd, .narrow-off { display: none } dl { grid-template-columns: 1fr; gap: 0 }
  dd { margin-bottom: 6px }
  .task .body { padding: 2px 12px 12px } }
@media print {
  :root { --paper: #fff; --panel: #f6f8fa; --line: #c4ccd4; --text: #000; --quiet: #444c56; --good: #1a7f37;
  --bad: #b0121d;
    --busy: #0a5fc4; --warning: #8a5a00; --changing: #7a45d1; --plain: #444c56; --good-soft: #fff; --bad-soft: #fff;
    --busy-soft: #fff; --warning-soft: #fff; --changing-soft: #fff; --plain-soft: #e6e9ec; --gap: #eef1f4 }
  html { font-size: 11px } body { max-width: none; padding: 0 } h2, h3, summary { break-after: avoid }
  tr, .card, .needs li { break-inside: avoid } .wide { overflow: visible } pre { border: 1px solid var(--line) }
  .task::details-content { content-visibility: visible; height: auto } rect, .pill { print-color-adjust: exact } }
"""
