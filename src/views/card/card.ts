import type { Button, RichTextSection } from '@slack/types'
import { mayBeOfferedAgain, type Proposal } from '../../domain/approvals/proposal.ts'
import { subjectOf } from '../../domain/incidents/finding.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import type { Recommendation } from '../../domain/incidents/recommend.ts'
import { kindNames, severityOf } from '../../domain/incidents/severity.ts'
import type { Silence } from '../../domain/incidents/silence.ts'
import { type WorkLost, workLost } from '../../domain/locks/workLost.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import {
  type Block,
  bold,
  bullets,
  button,
  buttonRow,
  context,
  escapeText,
  header,
  type Leaf,
  type Line,
  moment,
  plainText,
  preformatted,
  richText,
  section,
  truncate,
  user,
  type View,
} from '../kit.ts'
import { count, nameOf, stateOf } from '../words.ts'
import { consequenceOf, costOf, workOf } from './cost.ts'
import { sentenceOf, whyOfFinding } from './findings.ts'
import { outcomeSentence } from './outcome.ts'

/** The ids of the buttons on a card: https://docs.slack.dev/reference/block-kit/block-elements/button-element */
export const detailsAction = 'pg_details'
export const offerAgainAction = 'pg_offer_again'
export const breakGlassAction = 'pg_break_glass'
export const acknowledgeAction = 'pg_acknowledge'
export const snoozeAction = 'pg_snooze'

export type CardState = {
  readonly cluster: string
  /** Null for a card that began with a proposal made by hand. */
  readonly incident: Incident | null
  /** Every proposal that was made on this card, oldest first. */
  readonly proposals: readonly Proposal[]
  /** Number of people that an action needs here. */
  readonly people: { readonly cancel: number; readonly terminate: number }
  /** True when one person may act alone here. */
  readonly breakGlass: boolean
  /** Until when it brings no new cards; null where it does. */
  readonly silence: Silence | null
}

/** The card of an incident, or of a proposal made by hand: what is wrong, why this session, what may be done. */
export function cardView(card: CardState): View {
  const { incident, proposals, cluster } = card
  const latest = proposals.at(-1)
  const session = (incident ? subjectOf(incident.finding) : null) ?? latest?.session ?? null
  const title = incident
    ? kindNames[incident.finding.kind]
    : latest
      ? `${verbs[latest.action]} requested`
      : 'Card'
  const over = incident?.resolvedAt != null
  const critical = incident && severityOf(incident.finding) === 'critical'
  const headline = `${over ? 'Resolved: ' : critical ? 'Critical: ' : ''}${title} on ${cluster}`
  const what = incident ? sentenceOf(incident.finding) : latest ? requestSentence(latest) : ''
  const blocks: Block[] = [
    header(headline),
    // In the present tense: it describes what was last seen.
    richText(section(...(over ? ['As last seen: '] : []), what)),
    ...(over ? [] : explanation(card, session)),
    ...statement(session, over),
    ...(proposals.length > 0
      ? [richText(...proposals.slice(-6).map((proposal) => status(proposal, card)))]
      : []),
    ...(incident?.resolvedAt != null
      ? [richText(section(bold('Resolved'), ' ', moment(incident.resolvedAt), `: ${resolution(incident)}`))]
      : []),
    ...(incident && !over ? attention(card, incident) : []),
    ...buttons(card, session),
    ...reference(card),
  ]
  const done = latest?.outcome ? ` ${outcomeSentence(latest)}` : ''
  return {
    text: escapeText(truncate(`${headline}: ${over ? resolution(incident) : what}${done}`, 3000)),
    blocks,
  }
}

const requestSentence = ({ session, victims }: Proposal): string =>
  `Session ${nameOf(session)}, ${stateOf(session)}${victims.length > 0 ? `, keeps ${count(victims.length, 'session')} waiting` : ''}.`

/** Says what ended the incident, how long it lasted, and how many sessions it hurt. */
export const resolution = (incident: Incident | null): string =>
  incident
    ? `${incident.resolution} It lasted ${formatDuration(((incident.resolvedAt ?? 0) - incident.beganAt) / 1000)}${incident.mostVictims > 0 ? ` and kept up to ${count(incident.mostVictims, 'session')} waiting` : ''}.`
    : ''

function explanation({ incident, proposals }: CardState, session: Session | null): Block[] {
  const recommendation = incident?.recommendation ?? null
  const asked = incident ? null : proposals.at(-1)
  const target = recommendation ? recommendation.target : asked?.state === 'open' ? asked : null
  const lines: Line[] = [
    ...(incident ? whyOfFinding(incident.finding) : []),
    ...(asked?.reason ? [[bold('Why: '), asked.reason]] : []),
    ...(session ? [[bold('Its work: '), workOf(session, lostWith(session, incident))]] : []),
    ...(recommendation
      ? [[bold(recommendation.target ? 'Gentlest way out: ' : 'No button: '), recommendation.text]]
      : []),
    // Right behind the way that it is about.
    ...(target
      ? [
          [
            bold('What that costs: '),
            costOf(
              target.action,
              target.session,
              lostWith(target.session, incident),
              recommendation?.retries ?? null,
            ),
          ],
        ]
      : []),
    ...(recommendation ? otherWays(recommendation) : []),
  ]
  return lines.length > 0 ? [richText(bullets(...lines))] : []
}

/** Says what is lost with a session. Whether a waiting session has done work before, the recommendation knows. */
function lostWith(session: Session, incident: Incident | null): WorkLost {
  const target = incident?.recommendation?.target
  return target?.session.pid === session.pid ? target.workLost : workLost(session, undefined)
}

/** Largest number of other options on a card. */
const mostOthers = 3

/** Lists the other options. */
function otherWays({ others }: Recommendation): Line[] {
  const more = others.length - mostOthers
  return [
    ...others.slice(0, mostOthers).map((other) => [bold('Other way out: '), other]),
    ...(more > 0 ? [[`${count(more, 'more way')} out: /pg blocking`]] : []),
  ]
}

const statement = (session: Session | null, over: boolean): Block[] =>
  session?.query
    ? [
        richText(
          section(session.state !== 'active' ? 'Its last statement:' : over ? 'It ran:' : 'It runs:'),
          preformatted(truncate(session.query, 300)),
        ),
      ]
    : []

/** One line that says where a proposal stands. */
function status(proposal: Proposal, { people }: CardState): RichTextSection {
  const what = `${verbs[proposal.action]} ${proposal.key.pid}`
  const approvers = proposal.approvals.flatMap(({ userId }, index) => [
    ...(index > 0 ? [', '] : []),
    user(userId),
  ])
  const by = proposal.brokeGlass
    ? [
        bold('BREAK GLASS'),
        ' by ',
        user(proposal.brokeGlass.userId),
        ` alone, because: ${proposal.brokeGlass.reason}`,
      ]
    : ['approved by ', ...approvers]
  switch (proposal.state) {
    case 'open': {
      const asked = proposal.requestedBy ? ['requested by ', user(proposal.requestedBy), '; '] : []
      const have = `${proposal.approvals.length} of ${people[proposal.action]}`
      const who = approvers.length > 0 ? [' (', ...approvers, ')'] : []
      return section(
        bold(what),
        ': ',
        ...asked,
        `${have} approvals`,
        ...who,
        ...deniedBefore(proposal),
        ', open until ',
        moment(proposal.expiresAt),
      )
    }
    case 'claimed':
      return section(bold(what), ': ', ...by, '; sending …')
    case 'done':
      return section(bold(what), ': ', ...by, `. ${outcomeSentence(proposal)}`)
    case 'denied':
      return section(
        bold(what),
        ': denied by ',
        ...(proposal.decidedBy ? [user(proposal.decidedBy)] : ['somebody']),
        ...(proposal.decision ? [`: ${proposal.decision}`] : []),
      )
    case 'expired':
      return section(bold(what), ': expired ', moment(proposal.expiresAt), ', nothing was sent')
    case 'withdrawn':
      return section(bold(what), `: withdrawn, ${proposal.decision ?? 'the session changed'}`)
  }
}

/** Says who denied an action on this session before, and why. The next approver should know. */
const deniedBefore = ({ denial }: Proposal): Line =>
  denial ? ['; denied before by ', user(denial.userId), ...(denial.reason ? [`: ${denial.reason}`] : [])] : []

/** Says who acknowledged the incident, and whether it is silent. */
function attention({ silence }: CardState, { acknowledgedBy }: Incident): Block[] {
  const said: (Leaf | string)[] = [
    ...(acknowledgedBy ? [user(acknowledgedBy), ' acknowledged it. '] : []),
    ...(silence ? ['Quiet until ', moment(silence.until), ', by ', user(silence.by), '.'] : []),
  ]
  return said.length > 0 ? [richText(section(...said))] : []
}

function buttons(
  { cluster, incident, proposals, breakGlass, silence }: CardState,
  session: Session | null,
): Block[] {
  const latest = proposals.at(-1)
  const over = incident?.resolvedAt != null
  return buttonRow(
    ...(latest?.state === 'open' && !over ? decisions(latest, incident, cluster) : []),
    ...(latest?.state === 'open' && !over && breakGlass
      ? [button(breakGlassAction, 'Break glass …', latest.id)]
      : []),
    ...(latest && mayBeOfferedAgain(latest) && !over
      ? [button(offerAgainAction, 'Offer again', latest.id)]
      : []),
    ...(incident && !over && !incident.acknowledgedBy
      ? [button(acknowledgeAction, 'Acknowledge', incident.id)]
      : []),
    ...(incident && !over && !silence ? [button(snoozeAction, 'Snooze 30 min', incident.id)] : []),
    ...(session && !over ? [button(detailsAction, 'Details', incident?.id ?? latest?.id ?? '')] : []),
  )
}

function decisions(proposal: Proposal, incident: Incident | null, cluster: string): Button[] {
  const { action } = proposal
  const { pid } = proposal.key
  // As it was last seen, where the card shows it; the proposal keeps it as it was when it was made.
  const seen = incident?.recommendation?.target?.session
  const session = seen?.pid === pid ? seen : proposal.session
  const root = incident?.finding.kind === 'blocking' ? incident.finding.root : null
  const waiting = root?.pid === pid ? root.victims.length : proposal.victims.length
  const lost = lostWith(session, incident)
  // Said early, since a long name at the end may be cut.
  const pooler =
    proposal.pooled && action === 'terminate'
      ? ' Behind a pooler: if the transaction ends in this moment, another client may lose its own.'
      : ''
  const confirm = {
    title: plainText(`${verbs[action]} ${session.pid}?`, 100),
    text: plainText(
      // What happens first: a long name at the end may be cut.
      `${consequenceOf(action, session, lost)}${pooler} ${workOf(session, lost)}${waiting > 0 ? ` ${count(waiting, 'session waits', 'sessions wait')} behind it.` : ''} On ${cluster}: ${nameOf(session)}, ${stateOf(session)}.`,
      300,
    ),
    confirm: plainText(verbs[action], 30),
    deny: plainText('Back', 30),
    style: 'danger' as const,
  }
  return [
    {
      ...button(`approve_${action}`, `Approve: ${action} ${session.pid}`, proposal.id),
      style: 'danger' as const,
      confirm,
    },
    button(`deny_${action}`, 'Deny', proposal.id),
  ]
}

/** Says how to find the incident again. */
function reference({ incident, proposals }: CardState): Block[] {
  const id = shortId(incident?.id ?? proposals[0]?.cardId ?? '')
  return [context(`${incident ? 'Incident' : 'Request'} ${id} · /pg history ${id} shows all of it`)]
}

/** Enough of an id to name a card with. */
export const shortId = (id: string): string => id.slice(0, 8)

const verbs = { cancel: 'Cancel', terminate: 'Terminate' } as const
