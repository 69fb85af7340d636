import type { BulkProposal } from '../../domain/approvals/bulk.ts'
import { type Bulk, type BulkCounts, type BulkMember, countsOf } from '../../domain/approvals/members.ts'
import type { Outcome } from '../../domain/approvals/outcome.ts'
import { ageOf } from '../../domain/lists/filters.ts'
import type { Action } from '../../domain/session/action.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import {
  bold,
  bullets,
  clean,
  type Line,
  plainWords,
  richText,
  section,
  truncate,
  type View,
} from '../kit.ts'
import { count, onOneLine, shortNameOf } from '../words.ts'

/** The words of a bulk request: on its card, in its modal, in its thread. */

/** `23 sessions`. */
export const membersWords = ({ members }: Bulk): string => count(members.length, 'session')

/** Says who is in the list and for how long, what they hold, what is lost in all, and what is left out. */
export function bulkLines({ action, bulk, reason, requestedBy }: BulkProposal): Line[] {
  return [
    ...(bulk.sweep === undefined || requestedBy !== null
      ? []
      : [[`Sweep ${bulk.sweep} asks${reason ? `: ${truncate(onOneLine(reason), 80)}` : '.'}`]]),
    [bold('Who: '), `${whoWords(bulk)}.`],
    [bold('They hold: '), `${holdWords(bulk)}.`],
    [bold('Lost: '), `${lostWords(action, bulk)}.`],
    ...(bulk.leftOut.length > 0 ? [[bold('Left out: '), `${leftOutWords(bulk, 3)}.`]] : []),
  ]
}

/** Most groups that are named. */
const mostGroups = 2

function whoWords({ members }: Bulk): string {
  const groups = [
    ...Map.groupBy(members, ({ session }) => `${shortNameOf(session)} · ${session.state ?? ''}`),
  ]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([, all]) => {
      const [first] = all
      const ages = all.map(({ session }) => ageOf(session))
      const [least, most] = [Math.min(...ages), Math.max(...ages)].map((age) => formatDuration(age))
      return `${all.length} ${first ? shortNameOf(first.session) : ''}, ${first?.session.state ?? 'unseen'} for ${least === most ? least : `${least} to ${most}`}`
    })
  const more = groups.length - mostGroups
  return `${groups.slice(0, mostGroups).join('; ')}${more > 0 ? `; ${count(more, 'more group')}` : ''}`
}

function holdWords({ members }: Bulk): string {
  const inTransaction = members.filter(({ session }) => session.xactStart !== null).length
  const waited = new Set(members.flatMap(({ victims }) => victims.map(({ pid }) => pid)))
  return list([
    count(members.length, 'connection'),
    ...(inTransaction > 0 ? [count(inTransaction, 'open transaction')] : []),
    ...(waited.size > 0 ? [`what ${count(waited.size, 'session waits', 'sessions wait')} for`] : []),
  ])
}

/** Sums up what is lost with all of them. */
function lostWords(action: Action, { members }: Bulk): string {
  const open = members.filter(({ session }) => session.xactStart !== null)
  const wrote = open.filter(({ session }) => session.backendXid !== null).length
  const rolledBack = `${count(open.length, 'transaction is', 'transactions are')} rolled back${wrote > 0 ? ` (${wrote} wrote)` : ''}`
  if (action === 'cancel') return `${count(members.length, 'statement')} with an error; ${rolledBack}`
  if (open.length === 0) return 'no work; their clients connect again'
  const idle = members.length - open.length
  return `${rolledBack}${idle > 0 ? `; no work with the other ${idle}` : ''}`
}

/** `2 It is protected by …; 4 There are more than the 50 of one card`, in the words of a clause. */
function leftOutWords({ leftOut }: Bulk, most: number): string {
  const all = leftOut.toSorted((a, b) => b.pids.length - a.pids.length)
  const more = all.slice(most).reduce((sum, { pids }) => sum + pids.length, 0)
  return [
    ...all.slice(0, most).map(({ why, pids }) => `${pids.length} (${truncate(reasonWords(why), 60)})`),
    ...(more > 0 ? [`${more} more`] : []),
  ].join('; ')
}

const reasonWords = (why: string): string => {
  const one = onOneLine(clean(why)).replace(/\.$/, '')
  return `${one.charAt(0).toLowerCase()}${one.slice(1)}`
}

/** Counts what came of each: the counts add up to the list. */
export function bulkOutcome(action: Action, counts: BulkCounts): string {
  const all = Object.values(counts).reduce<number>((sum, many) => sum + (many ?? 0), 0)
  const parts = outcomeKinds.flatMap((kind) => {
    const many = counts[kind]
    return many ? [`${many} ${outcomeWords(kind, action, many)}`] : []
  })
  return `Of ${all}: ${list(parts)}.`
}

const outcomeKinds = [
  'effective',
  'still',
  'changed',
  'refused',
  'unreachable',
  'notSent',
  'unknown',
] as const satisfies readonly Outcome['kind'][]

export function outcomeWords(kind: Outcome['kind'], action: Action, many: number): string {
  switch (kind) {
    case 'effective':
      return action === 'terminate' ? `${many === 1 ? 'is' : 'are'} gone` : 'ended'
    case 'still':
      return 'still there'
    case 'changed':
      return 'had changed and got no signal'
    case 'refused':
      return 'refused by the server'
    case 'unreachable':
      return 'not reached'
    case 'notSent':
      return 'not sent'
    case 'unknown':
      return 'of unknown outcome'
  }
}

/** Characters of names in one note, of all groups together: Slack takes about 10,000 a message. */
const longestNames = 6000
/** Reasons with names of their own. */
const mostReasons = 20

/** Writes the note of the thread: the names behind the counts. */
export function bulkNote({ action, bulk }: BulkProposal, mention: Line): View {
  const groups = outcomeKinds.flatMap((kind) => {
    const those = bulk.members.filter(({ outcome }) => outcome?.kind === kind)
    return [...Map.groupBy(those, whyOf)].map(([why, all]) => ({ kind, why, all }))
  })
  const shown = groups.slice(0, mostReasons)
  const lines: Line[] = shown.map(({ kind, why, all }) => [
    bold(`${all.length} ${outcomeWords(kind, action, all.length)}${why ? ` (${truncate(why, 100)})` : ''}: `),
    truncate(namesOf(all), Math.floor(longestNames / shown.length)),
  ])
  if (groups.length > shown.length) lines.push([`${groups.length - shown.length} other reasons.`])
  const title = `${bulkOutcome(action, countsOf(bulk))}`
  return {
    text: truncate([title, ...lines.map(plainWords)].join('\n'), 3000),
    blocks: [richText(section(title, ...mention), bullets(...lines))],
  }
}

/** Says why a member got no signal, without its pid; empty where that is no question. */
function whyOf({ session, outcome }: BulkMember): string {
  const text =
    outcome?.kind === 'changed'
      ? outcome.what
      : outcome && 'why' in outcome
        ? (outcome.why ?? '')
        : outcome?.kind === 'unknown'
          ? outcome.now
          : ''
  return reasonWords(text.replaceAll(`${session.pid} `, '').replace('is not what was approved: ', ''))
}

/** `web: 4312, 4313; job: 4400`. */
const namesOf = (members: readonly BulkMember[]): string =>
  [...Map.groupBy(members, ({ session }) => shortNameOf(session))]
    .map(([name, all]) => `${name}: ${all.map(({ session }) => session.pid).join(', ')}`)
    .join('; ')
