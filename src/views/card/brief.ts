import { isPerson } from '../../domain/approvals/actor.ts'
import { isBulk } from '../../domain/approvals/bulk.ts'
import { askersOf, type Proposal } from '../../domain/approvals/proposal.ts'
import { isFromHost } from '../../domain/host/identity.ts'
import type { Holder } from '../../domain/incidents/connectionHolders.ts'
import type { Finding } from '../../domain/incidents/finding.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import type { Recommendation } from '../../domain/incidents/recommend.ts'
import { type Obstacle, obstacleOf } from '../../domain/incidents/unreachable.ts'
import type { Expected } from '../../domain/locks/option.ts'
import { lossText } from '../../domain/locks/recommendationText.ts'
import { matchesNames } from '../../domain/session/policy.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import { bold, code, type Line, moment, plainWords, truncate, user } from '../kit.ts'
import { count, lastSeenWords, onOneLine, shortNameAndPid } from '../words.ts'
import { bulkLines } from './bulk.ts'
import type { CardState } from './cardState.ts'
import { lostWith } from './cost.ts'
import { countWords, firstSentences, firstWords, type Room, rooms } from './fit.ts'
import { nextStep } from './healthFindings.ts'
import { outcomeSentence } from './outcome.ts'
import { poolWaitsNext, poolWaitsWhy } from './poolWaits.ts'
import { standing } from './standing.ts'

/** So many words are kept for the names and the statement of the session that a card is about. */
const roomForTarget = 7

/**
 * Writes the few lines of a card: what helps, what that costs, and who must approve until when, or what became of it.
 * @param words how many there may be, with those of the target that follows; reasons and names are cut first
 */
export function summaryLines(card: CardState, words: number): Line[] {
  const drawn = rooms.map((room) => linesIn(card, words, room))
  const fits = (lines: readonly Line[]) => countWords(...lines.map(plainWords)) <= words - roomForTarget
  return drawn.find(fits) ?? drawn.at(-1) ?? []
}

function linesIn(card: CardState, words: number, room: Room): Line[] {
  const { incident, proposals } = card
  const latest = proposals.at(-1) ?? null
  if (incident?.resolvedAt != null)
    return [
      [endOf(incident)],
      ...(latest?.claimedAt != null ? [standing(latest, card, room)] : []),
      ...preventedBy(incident),
    ]
  const where = latest ? [standing(latest, card, room)] : []
  const whose = latest && askedBy(latest, room)
  const pending = latest === null || latest.state === 'open'
  const isDone = latest?.state === 'claimed' || latest?.outcome?.kind === 'effective'
  return [
    ...(whose ? [whose] : []),
    ...inVain(card, room),
    // What was decided comes before what could be done.
    ...(pending ? [] : where),
    ...(isDone ? [] : wayLines(card, words - roomForTarget, room)),
    ...(pending ? where : []),
  ]
}

/** Says what ended the incident and how many it hurt. The headline has how long. */
const endOf = ({ resolution, mostVictims, finding }: Incident): string =>
  `${resolution}${mostVictims > 0 && finding.kind !== 'blocking' ? ` It kept up to ${count(mostVictims, 'session')} waiting.` : ''}`

/** Shows the statement that would have prevented it. Whom else it hits, `/pg advise` knows. */
const preventedBy = ({ prevention }: Incident): Line[] =>
  prevention === undefined
    ? []
    : [[bold('Would have prevented it: '), code(onOneLine(prevention)), ' ', code('/pg advise')]]

/** Says what came of the cancel in whose place a terminate is proposed. */
function inVain({ proposals }: CardState, room: Room): Line[] {
  const latest = proposals.at(-1)
  const before = latest?.state === 'open' && proposals.find(({ id }) => id === latest.insteadOf)
  return before ? [[firstSentences(outcomeSentence(before), Math.min(24, room.sentences))]] : []
}

/** Says which people asked for it, and why. A program stands in the headline. */
function askedBy(proposal: Proposal, room: Room): Line | null {
  if (proposal.state !== 'open') return null
  const [first, second, ...more] = askersOf(proposal).filter(({ userId }) => isPerson(userId))
  if (!first) return null
  const why = (given: string) => (given ? `: ${firstWords(onOneLine(given), room.reason)}` : '.')
  return [
    user(first.userId),
    ` asks${why(first.reason)}`,
    ...(second ? [' · ', user(second.userId), ` as well${why(second.reason)}`] : []),
    ...(more.length > 0 ? [` · ${more.length} more.`] : []),
  ]
}

/** Names the way out and its cost, or why there is none, or the next step of a person. */
function wayLines({ incident, proposals, lastResort }: CardState, words: number, room: Room): Line[] {
  const recommendation = incident?.recommendation ?? null
  if (incident && !recommendation) return nextLine(incident, lastResort !== undefined)
  const target = recommendation?.target
  if (recommendation && !target)
    return [[bold('No button: '), firstSentences(recommendation.text, words - 4)]]
  const latest = proposals.at(-1)
  if (latest?.state === 'open' && isBulk(latest)) return bulkLines(latest)
  const open = latest?.state === 'open' ? latest : null
  // A terminate may stand in the place of a cancel that had no effect.
  const ended = open && target?.action !== open.action ? open : (target ?? open)
  if (!ended) return []
  if (isFromHost(ended.session)) return [hostLine(ended.session, lastResort)]
  const cost = lossText(lostWith(ended.session, incident), ended.session)
  return [
    ...(target
      ? [[bold('Best way out: '), wayWords({ ...target, ...(ended === open && { action: open.action }) })]]
      : []),
    [bold('Cost: '), `${firstWords(withoutDurationOf(cost, incident?.finding ?? null), room.cost)}.`],
  ]
}

/** Says what nobody knows of a process, and which application it may be that is protected. */
function hostLine(session: Session, lastResort: CardState['lastResort']): Line {
  const names = { ...session, applicationName: null }
  const rule = lastResort?.byApplication.find((one) => matchesNames(names, one, true))
  return [
    bold('From the operating system: '),
    'no locks, no statement but its title, no application',
    ...(rule ? [': ', bold(`it may be ${rule.applicationName}, which is protected`)] : []),
    '.',
  ]
}

/** `terminate checkout (13624). Frees 1 at once, then the other 5.` */
function wayWords({ action, session, expected, together = [] }: Recommendation['target'] & object): string {
  const also = together.length > 0 ? ` together with ${list(together.slice(0, 3))}` : ''
  return `${action} ${shortNameAndPid(session)}${also}.${expected ? freesWords(expected) : ''}`
}

/** Counts whom it frees: ` Frees 1 at once, then the other 5.` */
function freesWords({ atOnce, follow, unsure }: Expected): string {
  const all = atOnce.length + follow.length + unsure.length
  if (all === 0) return ' It waits no more itself.'
  const said = [
    ...(atOnce.length > 0
      ? [
          atOnce.length === all
            ? `${all === 1 ? 'its one waiter' : `all ${all}`} at once`
            : `${atOnce.length} at once`,
        ]
      : []),
    ...(follow.length > 0
      ? [
          unsure.length === 0 && atOnce.length > 0
            ? `then the other ${follow.length === 1 ? 'one' : follow.length}`
            : `${follow.length} one after the other`,
        ]
      : []),
  ]
  const sure = said.length > 0 ? ` Frees ${said.join(', ')}.` : ''
  return unsure.length > 0 ? `${sure} ${unsure.length} of ${all} may wait on.` : sure
}

/** A duration that stands in the headline already says nothing new. */
function withoutDurationOf(cost: string, finding: Finding | null): string {
  const seconds = finding && 'seconds' in finding ? finding.seconds : null
  const headline = finding?.kind === 'blocking' ? finding.root.oldestWaitSeconds : seconds
  return headline === null || headline === undefined
    ? cost
    : cost.replace(` in ${formatDuration(headline)}`, '')
}

/** Names the next step of a person, where no button helps. */
function nextLine({ finding, beganAt }: Incident, hasLastResort: boolean): Line[] {
  switch (finding.kind) {
    case 'connections': {
      const { used, max, reserved } = finding
      const left = Math.max(0, max - reserved - used)
      const kept = reserved > 0 ? `: ${reserved} are kept back for superusers` : ''
      const room: Line = [left === 0 ? `Nobody else gets one${kept}.` : `${count(left, 'is', 'are')} left.`]
      const [most] = finding.holders
      if (!most) return [room]
      const app = most.applicationName || most.usename
      const filter = most.applicationName ? `--app ${quoted(app)}` : `--user ${quoted(app)}`
      return [
        room,
        [bold('Held by: '), `${finding.holders.slice(0, 2).map(heldWords).join('; ')}.`],
        ...(app ? [[bold('Next: '), code(`/pg idle ${filter}`), ' shows which of them do nothing.']] : []),
      ]
    }
    case 'unreachable':
      return [
        [firstSentences(finding.reason, 24)],
        finding.last
          ? [bold('Seen last: '), `${lastSeenWords(finding.last)}, `, moment(finding.last.at), '.']
          : ['Not seen since ', moment(beganAt), '.'],
        [bold('Next: '), nextAgainst[obstacleOf(finding)]],
        // Who is let in and may not look has another trouble.
        ...(hasLastResort && ['full', 'refuses', 'silent'].includes(obstacleOf(finding))
          ? [[bold('Last resort: '), code('/pg sessions'), ' shows its processes.']]
          : []),
      ]
    case 'poolWaits': {
      const [worst] = finding.pools
      return [
        ...(worst
          ? poolWaitsWhy({ ...finding, pools: [worst], others: finding.others + finding.pools.length - 1 })
          : []),
        [bold('Next: '), ...poolWaitsNext(finding)],
      ]
    }
    case 'lockStorm': {
      const [first] = finding.suspects
      return [
        ['Who blocks whom cannot be read now.'],
        ...(first
          ? [
              [
                bold('Suspect: '),
                `${shortNameAndPid(first)}, idle in transaction. `,
                code(`/pg session ${first.pid}`),
              ],
            ]
          : []),
      ]
    }
    case 'deadlocks':
    case 'preparedTransaction':
    case 'vacuumHeldBack':
    case 'wraparound':
    case 'replicationSlot':
      return [[bold('Next: '), ...nextStep(finding)]]
    default:
      return []
  }
}

/** Next step of a person, by what is in the way. */
const nextAgainst: Record<Obstacle, string> = {
  full: 'log in as a superuser, whose slots are kept back, and end what fills them.',
  refuses: 'see whether the server runs, and what its log says.',
  login: 'run doctor: it names what to grant or to set.',
  silent: 'look at the host and the network: does it answer there?',
  unusable: 'run doctor: it asks the server step by step.',
}

/** Counts what one group holds, and how many of those do nothing. */
const heldWords = ({ count, idle, applicationName, usename, datname }: Holder): string =>
  `${count} ${
    [applicationName, usename, datname]
      .filter(Boolean)
      .map((name) => truncate(firstWords(onOneLine(name ?? ''), 3), 24))
      .join(' · ') || 'logging in'
  }${idle ? ` (${idle} idle)` : ''}`

const quoted = (name: string): string =>
  /^[\w.-]+$/.test(name) ? name : `"${truncate(onOneLine(name), 40)}"`
