/** Style of the page of a report: light and dark as the reader has it, plain on paper. */
export const style = `
:root{color-scheme:light dark;--ground:#fbfaf8;--card:#fff;--ink:#1d2530;--soft:#55606e;--line:#e3e0da;--accent:#b3261e;--accent-soft:#fdeceA;--wait:#c2571a;--wait-soft:#f6dcc8;--action:#1d5fa8;--end:#2a6b3f;--hatch:#b9b3a8;--hatch-ground:#f0ede7;--code:#f3f1ec}
@media (prefers-color-scheme:dark){:root{--ground:#14171c;--card:#1c2128;--ink:#e8eaed;--soft:#a9b2bd;--line:#333a44;--accent:#ff8a80;--accent-soft:#3a2020;--wait:#f0a066;--wait-soft:#52361f;--action:#8ab8f0;--end:#7fca95;--hatch:#59606a;--hatch-ground:#23282f;--code:#262c35}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1040px;margin:0 auto;padding:40px 24px 56px}
.eyebrow{margin:0 0 8px;color:var(--soft);font-size:14px}
h1{margin:0 0 14px;font-size:clamp(26px,4.4vw,38px);line-height:1.15;letter-spacing:-.015em;text-wrap:balance;overflow-wrap:anywhere}
h2{margin:0 0 12px;font-size:19px;letter-spacing:-.005em}
h2 small{font-weight:400;font-size:14px;color:var(--soft);margin-left:8px}
p{margin:0 0 8px}
.summary{max-width:76ch;overflow-wrap:anywhere}
.state{display:inline-block;padding:2px 10px;border-radius:99px;font-size:13px;font-weight:600;background:var(--accent-soft);color:var(--accent);margin-right:10px}
.state.over{background:color-mix(in srgb,var(--end) 14%,var(--card));color:var(--end)}
.figures{display:grid;grid-template-columns:repeat(5,1fr);gap:12px;margin:24px 0 0;padding:0}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;display:flex;flex-direction:column}
.figures dt{color:var(--soft);font-size:13px}
.figures dd{margin:0}
.figures .value{font-size:25px;font-weight:650;line-height:1.25;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.figures .note{color:var(--soft);font-size:13px}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:22px 24px;margin-top:20px}
.scroll{overflow-x:auto}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--action);outline-offset:3px;border-radius:6px}
.scroll>svg{display:block;width:100%;height:auto}
.scroll>svg{min-width:640px}
.scroll>table{min-width:340px}.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:22px 36px}.tables>div{min-width:0}.tables>.wide{grid-column:1/-1}.wide .scroll>table{min-width:680px}
svg text{fill:var(--ink);font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.grid{stroke:var(--line)}.axis{stroke:var(--soft)}
svg .tick{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
.area{fill:var(--wait-soft);opacity:.85}.line{fill:none;stroke:var(--wait);stroke-width:2;stroke-linejoin:round}
.hatch{stroke:var(--hatch);stroke-width:2}.hatch-ground{fill:var(--hatch-ground)}
.unseen{fill:url(#unseen)}.partly{fill:url(#unseen);opacity:.45}
svg .unseen-word{font-size:12px;font-weight:600;paint-order:stroke;stroke:var(--hatch-ground);stroke-width:5px}
.mark line{stroke:var(--soft);stroke-dasharray:3 3}.mark text{font-size:12px;font-weight:600;fill:var(--soft)}
.mark.card line,.mark.wait line{stroke:var(--accent)}.mark.card text,.mark.wait text{fill:var(--accent)}
.mark.action line,.mark.people line{stroke:var(--action)}.mark.action text,.mark.people text{fill:var(--action)}
.mark.end line{stroke:var(--end)}.mark.end text{fill:var(--end)}
.root{fill:var(--accent-soft);stroke:var(--accent);stroke-width:1.5}.victim{fill:var(--ground);stroke:var(--line)}
.edge{fill:none;stroke:var(--soft);stroke-width:1.5}
svg .who{font-size:14.5px;font-weight:650}svg .says{font-weight:400;fill:var(--soft);font-size:13.5px}
svg .sql,pre,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
svg .sql{font-size:12px;fill:var(--soft)}
code{background:var(--code);padding:1px 5px;border-radius:5px;font-size:.88em;overflow-wrap:anywhere}
pre{margin:10px 0 0;padding:14px;background:var(--code);border-radius:8px;font-size:12.5px;line-height:1.5;overflow-x:auto}
details{margin-top:14px}summary{cursor:pointer;color:var(--action);font-size:14px}
.note{color:var(--soft);font-size:14px;margin-top:8px}
.timeline{list-style:none;margin:0;padding:0}
.timeline li{margin:0;display:grid;grid-template-columns:auto 18px 1fr;gap:0 10px;align-items:start}
.timeline time.when{color:var(--soft);font-variant-numeric:tabular-nums;min-width:8ch;text-align:right;font-size:15px}
.timeline .dot{position:relative;align-self:stretch;min-height:34px}
.timeline .dot::before{content:"";position:absolute;left:8px;top:0;bottom:0;width:2px;background:var(--line)}
.timeline .dot::after{content:"";position:absolute;left:3px;top:7px;width:12px;height:12px;border-radius:50%;background:var(--soft);border:2px solid var(--card)}
.timeline li:first-child .dot::before{top:10px}.timeline li:last-child .dot::before{bottom:auto;height:10px}
.timeline .wait .dot::after,.timeline .card .dot::after{background:var(--accent)}
.timeline .action .dot::after,.timeline .people .dot::after{background:var(--action)}
.timeline .end .dot::after{background:var(--end)}
.timeline .gap .dot::after{background:var(--hatch)}
.timeline .what{padding-bottom:9px;overflow-wrap:anywhere;min-width:0}
ul{margin:0;padding-left:20px}li{margin-bottom:6px;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:14.5px}
th{text-align:left;color:var(--soft);font-weight:600;font-size:13px}
th,td{padding:7px 14px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
td{overflow-wrap:anywhere}td:first-child{min-width:10ch}
h3{margin:0 0 6px;font-size:15px}
footer{margin-top:24px;color:var(--soft);font-size:13.5px}
@media (max-width:820px){.figures{grid-template-columns:repeat(2,1fr)}.figures div:first-child{grid-column:1/-1}section{padding:18px 16px}main{padding:24px 14px 40px}}
@media print{:root{--ground:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--accent:#b3261e;--accent-soft:#fdecea;--wait:#c2571a;--wait-soft:#f6dcc8;--action:#1d5fa8;--end:#2a6b3f;--hatch:#b9b3a8;--hatch-ground:#f0ede7;--code:#f3f1ec;color-scheme:light}
body{font-size:11pt}main{max-width:none;padding:0}section{break-inside:avoid-page;border-color:#ccc;padding:12px 14px}section.long{break-inside:auto}.scroll{overflow:visible}.scroll>svg{min-width:0}tr,.timeline li{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`.trim()
