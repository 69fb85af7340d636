import type { Before, Prevention } from '../../domain/advice/prevention.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { listSome } from '../../domain/text/sentence.ts'
import { bold, code, type Line, truncate, type View } from '../kit.ts'
import { count, onOneLine } from '../words.ts'
import { compose, lines, type Piece } from './page.ts'

/** Prevention that one message has room for: each takes four blocks, and some 1,200 characters. */
const most = 6

/** Shows what would have prevented the trouble, as statements to run. */
export function adviseView({
  cluster,
  advice,
  incidents,
  sinceSeconds,
  recordSeconds,
}: {
  readonly cluster: string
  readonly advice: readonly Prevention[]
  readonly incidents: number
  readonly sinceSeconds: number
  readonly recordSeconds: number | null
}): View {
  const title = `What would have prevented it on ${cluster}`
  const from = `By ${count(incidents, 'incident')} of the last ${formatDuration(sinceSeconds)}${
    recordSeconds === null
      ? '; nothing is recorded, so nobody knows whom a limit would have hit'
      : ` and the looks of the last ${formatDuration(recordSeconds)}`
  }.`
  if (advice.length === 0)
    return compose(title, [
      lines([
        incidents === 0
          ? bold('There was no trouble to prevent. ')
          : bold('No setting that I know of would have prevented it, or it is set already. '),
        from,
      ]),
    ])
  const shown = advice.slice(0, most)
  return compose(title, [
    lines([bold('I change nothing: run what you agree with. '), from]),
    ...shown.flatMap(piecesOf),
    ...(advice.length > shown.length ? [lines([`${advice.length - shown.length} more.`])] : []),
  ])
}

function piecesOf(advice: Prevention): Piece[] {
  const { trouble, statement, undo, now, effect, before, needsRestart, scope } = advice
  const bullets: Line[] = [
    [bold('Now: '), now, '.'],
    ...(before ? [[bold('Before: '), beforeWords(before)]] : []),
    [bold('Does: '), effect],
    ...(needsRestart
      ? [[bold('Needs a restart of the server.')]]
      : scope
        ? [['It holds from the next login on, and each client may SET another value.']]
        : [['It holds at once, without a restart.']]),
    ...(undo === null ? [] : [['Back: ', code(truncate(onOneLine(undo), 200))]]),
  ]
  return [
    lines([bold(truncate(onOneLine(trouble), 400))]),
    { kind: 'preformatted', value: statement },
    { kind: 'bullets', lines: bullets },
  ]
}

function beforeWords({ times, ended, hits }: Before): string {
  const which = times === 1 && ended === 1 ? 'it' : ended === times ? `all ${times}` : `${ended} of ${times}`
  const cut = `it would have cut ${which} short`
  if (hits === null) return `${cut}.`
  if (hits.innocent === 0) return `${cut}, and hit nobody else.`
  const names = hits.applications.map((name) => truncate(onOneLine(name), 30) || 'no application name')
  return `${cut}, and hit ${hits.innocent} that kept nobody waiting (${listSome(names, 4)}).`
}
