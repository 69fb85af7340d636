import type { Report } from '../../domain/history/report.ts'
import type { Leaf, Line } from '../kit.ts'
import { waitingChart } from './chart.ts'
import type { ReportClock } from './clock.ts'
import { escapeHtml, html, joined, type Markup, nothing } from './markup.ts'
import type { Table, WrittenReport } from './sections.ts'
import { style } from './style.ts'
import { treePicture } from './treePicture.ts'

/**
 * Writes a report as one page: nothing is loaded, nothing runs, and it opens from a disk.
 * @param version of pg-marshal
 * @param writtenAt milliseconds since the epoch
 */
export function reportPage(
  report: Report,
  written: WrittenReport,
  {
    clock,
    version,
    writtenAt,
  }: { readonly clock: ReportClock; readonly version: string; readonly writtenAt: number },
): string {
  const { title, id, summary, figures, tree, timeline, ways, preventions, holders, tables, limits } = written
  const { incident, worst, from, to } = report
  const over = incident.resolvedAt !== null
  const line = (one: Line) => lineOf(one, clock)
  const day = clock.day(from) === clock.day(to) ? clock.day(from) : `${clock.day(from)} to ${clock.day(to)}`
  const body = html`<main>
<header>
<p class="eyebrow"><span class="state ${over ? 'over' : 'open'}">${over ? 'Resolved' : 'Open'}</span>Incident ${id} · cluster ${incident.cluster} · ${day} · times of ${clock.zone}</p>
<h1>${title}</h1>
<div class="summary">${summary.map((one) => html`<p>${line(one)}</p>`)}</div>
<dl class="figures">${figures.map(
    ({ label, value, note }) =>
      html`<div><dt>${label}</dt><dd class="value">${value}</dd><dd class="note">${note}</dd></div>`,
  )}</dl>
</header>
${
  worst
    ? html`<section><h2>Who blocked whom <small>at its worst, ${clock.time(worst.takenAt)}</small></h2><div class="scroll" tabindex="0" role="group" aria-label="Picture: who blocked whom">${treePicture(report)}</div><details><summary>The same in words</summary><pre tabindex="0" role="group" aria-label="Who blocked whom, in words">${tree.join('\n')}</pre></details></section>`
    : nothing
}
<section><h2>Waiting sessions <small>over time</small></h2><div class="scroll" tabindex="0" role="group" aria-label="Chart: waiting sessions over time">${waitingChart(report, timeline, clock)}</div></section>
<section class="long"><h2>Time line</h2><ol class="timeline">${timeline.map(
    ({ at, kind, line: what }) =>
      html`<li class="${kind}"><time class="when" datetime="${new Date(at).toISOString()}">${clock.time(at)}</time><span class="dot"></span><span class="what">${line(what)}</span></li>`,
  )}</ol></section>
${listPart('The gentlest way out, as it would have been', ways, clock)}
${listPart('What would have prevented it', preventions, clock)}
${
  holders.length > 0
    ? html`<section class="long"><h2>Who was in the way</h2><ul>${holders.map(
        (holder) =>
          html`<li>${line(holder.line)}${holder.did.length > 0 ? html`<ul>${holder.did.map((one) => html`<li>${line(one)}</li>`)}</ul>` : nothing}</li>`,
      )}</ul></section>`
    : nothing
}
${
  tables.length > 0
    ? html`<section class="long"><h2>What it cost</h2><div class="tables">${tables.map((table) => tablePart(table, clock))}</div></section>`
    : nothing
}
${listPart('What was not seen', limits, clock)}
<footer>Written by pg-marshal ${version} on ${clock.day(writtenAt)}, ${clock.short(writtenAt, true)} (${clock.zone}), from its record and its journal. Constants in statements are masked; session time adds up the waits of all sessions.</footer>
</main>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} · report ${escapeHtml(id)}</title>
<style>
${style}
</style>
</head>
<body>
${body.markup}
</body>
</html>
`
}

const listPart = (heading: string, lines: readonly Line[], clock: ReportClock): Markup =>
  lines.length === 0
    ? nothing
    : html`<section><h2>${heading}</h2><ul>${lines.map((one) => html`<li>${lineOf(one, clock)}</li>`)}</ul></section>`

const tablePart = ({ title, head, rows, more }: Table, clock: ReportClock): Markup =>
  html`<div class="${head.length > 3 || head[0] === 'Statement' ? 'wide' : 'few'}"><h3>${title}</h3><div class="scroll" tabindex="0" role="group" aria-label="${title}"><table><thead><tr>${head.map(
    (one) => html`<th scope="col">${one}</th>`,
  )}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell) => html`<td>${typeof cell === 'string' ? cell : lineOf(cell, clock)}</td>`)}</tr>`,
  )}</tbody></table></div>${more > 0 ? html`<p class="note">… and ${more} more.</p>` : nothing}</div>`

const lineOf = (line: Line, clock: ReportClock): Markup => joined(line.map((part) => partOf(part, clock)))

function partOf(part: Leaf | string, clock: ReportClock): Markup {
  if (typeof part === 'string') return html`${part}`
  if (part.type === 'date') {
    const at = part.timestamp * 1000
    return html`<time datetime="${new Date(at).toISOString()}">${clock.time(at)}</time>`
  }
  if (part.type === 'link') return html`${part.text ?? ''}`
  if (part.type === 'user') return html`${part.user_id}`
  if (part.type === 'usergroup') return html`${part.usergroup_id}`
  if (part.type !== 'text') return nothing
  if (part.style?.code) return html`<code>${part.text}</code>`
  return part.style?.bold ? html`<b>${part.text}</b>` : html`${part.text}`
}
