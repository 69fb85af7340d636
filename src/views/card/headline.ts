import { tokenOf } from '../../domain/approvals/actor.ts'
import { type BulkCounts, countsOf } from '../../domain/approvals/members.ts'
import { askersOf, type Proposal } from '../../domain/approvals/proposal.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import { severityOf } from '../../domain/incidents/severity.ts'
import type { Root } from '../../domain/locks/blocking.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { sqlLiteral } from '../../domain/text/literal.ts'
import { formatCount, formatSize } from '../../domain/text/size.ts'
import { clean, truncate } from '../kit.ts'
import { count, obstacleWords, onOneLine, severitySigns, shortNameAndPid, shortNameOf } from '../words.ts'
import { membersWords } from './bulk.ts'
import type { CardState } from './cardState.ts'
import { percent } from './healthFindings.ts'

/** The status of a card, as its sign shows it. */
export type CardStatus =
  | 'critical'
  | 'warning'
  | 'notice'
  | 'acknowledged'
  | 'sending'
  | 'done'
  | 'denied'
  | 'closed'
  | 'resolved'

const signs: Record<CardStatus, string> = {
  ...severitySigns,
  acknowledged: '👀',
  sending: '⏳',
  done: '✅',
  denied: '⛔',
  closed: '⚪',
  resolved: '🟢',
}

/** Decides where a card stands: what became of it comes before how bad it is. */
export function cardStatus({ incident, proposals }: Pick<CardState, 'incident' | 'proposals'>): CardStatus {
  const latest = proposals.at(-1)
  if (incident?.resolvedAt != null) return 'resolved'
  if (latest?.state === 'claimed') return 'sending'
  if (latest?.outcome?.kind === 'effective' || (latest?.state === 'done' && countsIn(latest).effective))
    return hasFailed(latest) ? 'warning' : 'done'
  if (latest?.state === 'denied') return 'denied'
  if (incident?.acknowledgedBy) return 'acknowledged'
  if (incident) return severityOf(incident.finding)
  return latest?.state === 'open' || hasFailed(latest) ? 'warning' : 'closed'
}

/** Returns true where somebody should look at it once more. */
function hasFailed(proposal: Proposal | undefined): boolean {
  if (proposal?.state !== 'done') return false
  const { still = 0, unknown = 0 } = countsIn(proposal)
  return still + unknown > 0
}

/** Counts what came of a proposal, or of each of its list. */
const countsIn = ({ outcome, bulk }: Proposal): BulkCounts =>
  bulk ? countsOf(bulk) : outcome ? { [outcome.kind]: 1 } : {}

/** So much of a headline a locked telephone shows: what is wrong, where and for how many must stand in it. */
const seenAtOnce = 60

/**
 * Writes the headline of a card: its sign, what is wrong or asked for, and where:
 * `🔴 checkout blocks 6 sessions on orders · 54 s · idle in transaction`.
 */
export function headlineOf(card: Pick<CardState, 'cluster' | 'incident' | 'proposals'>): string {
  const more = card.incident ? findingWords(card.incident, cardStatus(card) === 'resolved').more : []
  const denied = card.incident && cardStatus(card) === 'denied' ? ['denied'] : []
  return [titleOf(card), ...programsWords(card.proposals.at(-1)), ...more, ...denied].join(' · ')
}

/** So much of what a program says stands in a headline. */
const mostSaid = 70

/** Names the programs that ask, with why, as long as somebody has to decide: a person must not take one for a colleague. */
const programsWords = (latest: Proposal | undefined): string[] =>
  latest?.state === 'open'
    ? askersOf(latest).flatMap(({ userId, reason }) => {
        const token = tokenOf(userId)
        return token === null ? [] : [`token ${token} asks: ${truncate(onOneLine(clean(reason)), mostSaid)}`]
      })
    : []

/**
 * Writes the same without what a card says as of its last edit, as how long it has lasted: beside what was just read that
 * would be a second, older number.
 */
export function titleOf(card: Pick<CardState, 'cluster' | 'incident' | 'proposals'>): string {
  const { incident, proposals, cluster } = card
  const status = cardStatus(card)
  const sign = signs[status]
  const latest = proposals.at(-1)
  if (!incident) return latest ? `${sign} ${requestWords(latest, cluster)}` : `${sign} Card on ${cluster}`
  const over = status === 'resolved'
  const { subject, says } = findingWords(incident, over)
  const begins = `${sign} ${over ? 'Resolved: ' : ''}`
  const where = truncate(onOneLine(clean(cluster)), 24)
  // Where nothing is seen, the cluster itself is what it is about.
  const ends = incident.finding.kind === 'unreachable' ? `${where}${says}` : `${says} on ${where}`
  const room = Math.max(8, seenAtOnce - begins.length - ends.length)
  return `${begins}${truncate(subject, room)}${ends}`
}

/** Says what an incident is or was, without a sign: `checkout blocked 6 sessions on orders`. */
export function incidentWords(incident: Incident): string {
  const { subject, says } = findingWords(incident, incident.resolvedAt !== null)
  const where = onOneLine(clean(incident.cluster))
  return incident.finding.kind === 'unreachable' ? `${where}${says}` : `${subject}${says} on ${where}`
}

/** Says what a request by hand asks for, or what became of it. */
function requestWords({ action, session, state, outcome, bulk }: Proposal, cluster: string): string {
  const whom = `${bulk ? membersWords(bulk) : shortNameAndPid(session)} on ${cluster}`
  const verb = action === 'cancel' ? 'Cancel' : 'Terminate'
  switch (state) {
    case 'open':
      return `${verb} ${whom}: waits for approval`
    case 'claimed':
      return `${verb} ${whom}: sending`
    case 'denied':
      return `Denied: ${action} ${whom}`
    case 'expired':
      return `Expired: ${action} ${whom}`
    case 'withdrawn':
      return `Withdrawn: ${action} ${whom}`
    case 'done':
      if (bulk) {
        const ended = countsOf(bulk).effective ?? 0
        return `${action === 'cancel' ? 'Canceled' : 'Terminated'} ${ended} of ${whom}`
      }
      switch (outcome?.kind) {
        case 'effective':
          return `${action === 'cancel' ? 'Canceled' : 'Terminated'} ${whom}`
        case 'still':
          return `Still there: ${whom}`
        case 'unknown':
          return `Outcome unknown: ${action} ${whom}`
        default:
          return `Nothing sent: ${action} ${whom}`
      }
  }
}

/** The parts of a headline: its subject, what that does, and what else fits. */
type Words = { readonly subject: string; readonly says: string; readonly more: readonly string[] }

function findingWords({ finding, mostVictims, beganAt, resolvedAt }: Incident, over: boolean): Words {
  const lasted = over ? [formatDuration(((resolvedAt ?? beganAt) - beganAt) / 1000)] : null
  const since = (seconds: number | null) => lasted ?? (seconds === null ? [] : [formatDuration(seconds)])
  const be = over ? 'was' : 'is'
  switch (finding.kind) {
    case 'blocking': {
      const victims = over ? mostVictims : finding.root.victims.length
      return {
        subject: rootName(finding.root, finding.session),
        says: ` ${over ? 'blocked' : 'blocks'} ${manySessions(victims)}`,
        more: [...since(finding.root.oldestWaitSeconds), ...(over ? [] : stateWords(finding.session))],
      }
    }
    case 'longQuery':
      return {
        subject: shortNameOf(finding.session),
        says: over ? ' ran a long query' : ' runs a long query',
        more: since(finding.seconds),
      }
    case 'idleInTransaction':
      return {
        subject: shortNameOf(finding.session),
        says: ` ${be} idle in transaction`,
        more: since(finding.seconds),
      }
    case 'idle':
      return { subject: shortNameOf(finding.session), says: ` ${be} idle`, more: since(finding.seconds) }
    case 'connections':
      return {
        subject: '',
        says: `${finding.used} of ${finding.max} connections ${over ? 'were ' : ''}used`,
        more: lasted ?? [],
      }
    case 'lockStorm':
      return {
        subject: '',
        says: `Lock storm: ${manySessions(over ? mostVictims : finding.waiting)} ${over ? 'waited' : finding.waiting === 1 ? 'waits' : 'wait'}`,
        more: lasted ?? [],
      }
    case 'poolWaits':
      return {
        subject: '',
        says: `${count(finding.clients, 'client')} ${over ? 'waited' : finding.clients === 1 ? 'waits' : 'wait'} in PgBouncer`,
        more: since(finding.seconds),
      }
    case 'unreachable':
      return {
        subject: '',
        says: ` ${obstacleWords(finding, over)}`,
        more: since(finding.seconds),
      }
    case 'lockCycle':
      return {
        subject: '',
        says: `${manySessions(finding.pids.length)} ${over ? 'waited' : 'wait'} for each other`,
        more: since(finding.seconds),
      }
    case 'deadlocks':
      return {
        subject: '',
        says: `${count(finding.count, 'deadlock')} in database ${name(finding.database)}`,
        more: lasted ?? [],
      }
    case 'preparedTransaction':
      return {
        subject: `Prepared transaction ${sqlLiteral(finding.prepared.gid)}`,
        says: ` ${be} left open`,
        more: since(finding.prepared.preparedSeconds),
      }
    case 'vacuumHeldBack': {
      const { holder, session } = finding
      return {
        subject: session ? shortNameOf(session) : onOneLine(clean(holder.name)),
        says: ` ${over ? 'held' : 'holds'} vacuum back`,
        more: lasted ?? [`${formatCount(holder.age)} transactions`],
      }
    }
    case 'wraparound':
      return {
        subject: `Database ${name(finding.database)}`,
        says: ` ${be} ${percent(finding.ratio)} of the way to wraparound`,
        more: lasted ?? [],
      }
    case 'replicationSlot':
      return {
        subject: `Slot ${name(finding.slot.name)}`,
        says: ` ${over ? 'kept' : 'keeps'} ${formatSize(finding.slot.retainedBytes)} of WAL`,
        more: lasted ?? [],
      }
  }
}

const name = (untrusted: string): string => truncate(onOneLine(clean(untrusted)), 24)

const manySessions = (n: number): string => `${formatCount(n)} ${n === 1 ? 'session' : 'sessions'}`

function rootName(root: Root, session: Session | null): string {
  if (root.prepared) return `Prepared transaction ${sqlLiteral(root.prepared.gid)}`
  if (session) return shortNameOf(session)
  return root.pid === 0 ? 'A prepared transaction' : String(root.pid)
}

/** Names the state without its age: one duration is read, two are compared. */
const stateWords = (session: Session | null): string[] => (session?.state ? [session.state] : [])
