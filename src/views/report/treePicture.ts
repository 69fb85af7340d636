import type { Report } from '../../domain/history/report.ts'
import type { Branch, Tree } from '../../domain/locks/tree.ts'
import { type Session, sessionsByPid } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { oneLine } from '../answers/page.ts'
import { truncate } from '../kit.ts'
import { count, lockOf, onOneLine, shortNameOf, stateOf } from '../words.ts'
import { html, joined, type Markup, nothing } from './markup.ts'

const width = 960
const rowHeight = 64
const boxHeight = 50
const indent = 40
const deepest = 6
/** Rows of the picture; the same in words has all. */
const mostRows = 14

type Box = {
  readonly depth: number
  /** Row of the box that it hangs from; null: it is a root. */
  readonly under: number | null
  readonly title: string
  readonly says: string
  readonly statement: string
}

/** Draws who blocked whom as boxes that hang from each other. */
export function treePicture({ worst }: Pick<Report, 'worst'>): Markup {
  if (!worst) return nothing
  const sessions = sessionsByPid(worst.snapshot.sessions)
  const boxes: Box[] = []
  for (const tree of worst.trees.trees) addBoxes(boxes, tree, sessions)
  const shown = boxes.slice(0, mostRows)
  const height = shown.length * rowHeight - (rowHeight - boxHeight) + 2
  return html`<svg class="tree" viewBox="0 0 ${width} ${height}" role="img" aria-label="${`Who blocked whom: ${count(worst.waiting, 'session')} waited. The same stands below in words.`}">
${joined(shown.map((box, row) => edge(box, row)))}
${joined(shown.map((box, row) => boxAt(box, row)))}
</svg>${boxes.length > shown.length ? html`<p class="note">${count(boxes.length - shown.length, 'more line')} of it below, in words.</p>` : nothing}`
}

function addBoxes(boxes: Box[], tree: Tree, sessions: ReadonlyMap<number, Session>): void {
  const rowOf = new Map<number, number>()
  const { root, cycle, branches, more } = tree
  if (root) {
    const session = sessions.get(root.pid)
    rowOf.set(root.pid, boxes.length)
    boxes.push({
      ...{ depth: 0, under: null },
      title: root.prepared
        ? `prepared transaction ${onOneLine(root.prepared.gid)}`
        : session
          ? `${root.pid} · ${shortNameOf(session)}`
          : `${root.pid} (gone since)`,
      says: [
        session
          ? stateOf(session)
          : root.prepared
            ? `prepared ${formatDuration(root.prepared.preparedSeconds)} before`
            : '',
        `blocks ${root.victims.length}`,
      ]
        .filter(Boolean)
        .join(' · '),
      statement: session?.query ? `${session.state === 'active' ? '' : 'last: '}${session.query}` : '',
    })
  }
  for (const pid of cycle) {
    const session = sessions.get(pid)
    rowOf.set(pid, boxes.length)
    boxes.push({
      ...{ depth: 0, under: null },
      title: session ? `${pid} · ${shortNameOf(session)}` : String(pid),
      says: `waits for ${cycle
        .filter((other) => other !== pid)
        .slice(0, 3)
        .join(', ')}`,
      statement: session?.query ?? '',
    })
  }
  for (const branch of branches) {
    const row = boxes.length
    rowOf.set(branch.pid, row)
    boxes.push(branchBox(branch, rowOf.get(branch.behind) ?? null, sessions))
  }
  if (more > 0)
    boxes.push({
      ...{ depth: 1, under: rowOf.get(root?.pid ?? cycle[0] ?? 0) ?? null },
      ...{ title: `… ${count(more, 'more waits', 'more wait')}`, says: '', statement: '' },
    })
}

function branchBox(
  { pid, wait, depth, same }: Branch,
  under: number | null,
  sessions: ReadonlyMap<number, Session>,
): Box {
  const session = sessions.get(pid)
  const all = [pid, ...same].flatMap((one) => sessions.get(one) ?? [])
  const names = [...new Set(all.map((one) => shortNameOf(one)))]
  const [name = ''] = names
  return {
    ...{ depth: Math.min(depth, deepest), under },
    title:
      same.length > 0
        ? `${same.length + 1} × ${names.length > 1 ? `${name} …` : name}`
        : `${pid}${name === '' ? '' : ` · ${name}`}`,
    says: `waits ${wait.seconds === null ? '' : `${formatDuration(wait.seconds)} `}for ${lockOf(wait, session ?? null)}`,
    statement: session?.query ?? '',
  }
}

const xOf = ({ depth }: Pick<Box, 'depth'>): number => 1 + depth * indent

function edge(box: Box, row: number): Markup {
  if (box.under === null || box.under >= row) return nothing
  const x = xOf({ depth: Math.max(0, box.depth - 1) }) + indent / 2
  const from = box.under * rowHeight + boxHeight
  const to = row * rowHeight + boxHeight / 2
  return html`<path class="edge" d="M${x} ${from}V${to}H${xOf(box)}"/>`
}

function boxAt(box: Box, row: number): Markup {
  const x = xOf(box)
  const room = width - x - 1
  const title = truncate(box.title, 48)
  const says = truncate(box.says, Math.max(8, Math.floor((room - 40 - title.length * 8.4) / 7)))
  return html`<svg x="${x}" y="${row * rowHeight + 1}" width="${room}" height="${boxHeight}"><rect class="${box.under === null ? 'root' : 'victim'}" x="0.5" y="0.5" width="${room - 1}" height="${boxHeight - 1}" rx="8"/><text class="who" x="14" y="${box.statement === '' ? 30 : 21}">${title}<tspan class="says" dx="10">${says}</tspan></text>${
    box.statement === ''
      ? nothing
      : html`<text class="sql" x="14" y="39">${oneLine(box.statement, Math.floor((room - 28) / 7.3))}</text>`
  }</svg>`
}
