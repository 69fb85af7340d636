import { isDeepStrictEqual } from 'node:util'
import { bot, type CallReason, type JournalEvent } from '../domain/approvals/journal.ts'
import { isByHand } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import {
  type CallKey,
  type Calls,
  callsAnybody,
  carries,
  climb,
  coveredBy,
  isTimed,
  type Ladder,
  noCalls,
  type Rung,
  type Sent,
  type Subject,
  withSent,
} from '../domain/incidents/ladder.ts'
import { silenceOf } from '../domain/incidents/silence.ts'
import type { Tables } from '../store/store.ts'
import { callNote } from '../views/card/call.ts'
import type { CardCalls } from '../views/card/cardState.ts'
import { headlineOf } from '../views/card/headline.ts'
import type { Card, CardSettings } from './readCard.ts'

/** Card whose calls are looked at. */
type CalledCard = Omit<Card, 'incidents'>

type Ask = { readonly id: string; readonly subject: Subject; readonly settings: CardSettings }

export type CallDesk = {
  /**
   * Queues the calls of a card that are due, and takes back those that wait for Slack and are not true any more: in the
   * transaction that writes down what was sent.
   * @param timed also those that come with the time
   * @returns the incident as it is then, and who was called
   */
  settle(
    tx: Tables & { record(event: JournalEvent): Promise<void> },
    card: CalledCard,
    timed: boolean,
  ): Promise<{ readonly incident: Incident | null; readonly calls: CardCalls | null }>
  /** Returns true when the calls of a card are not as they were written down. */
  isDue(tables: Tables, card: CalledCard): Promise<boolean>
  /** Reads who was called by a card itself, and what comes next; null where nobody is called. */
  shown(tables: Pick<Tables, 'calls' | 'messages'>, card: CalledCard): Promise<CardCalls | null>
}

/** Calls are more urgent than the notes of a thread, and than the cards of a lower severity. */
const priority = 4
/** Calls that may cover others began at most so long ago, in milliseconds. */
const lookBackMs = 60_000

/** Calls people for cards, as the ladder decides, and remembers whom. */
export function createCalls({
  nameOf,
  now,
}: {
  /** The name of a person or a user group; null while it is not known. */
  readonly nameOf: (id: string) => string | null
  readonly now: () => number
}): CallDesk {
  /** Time at which each ladder was asked last: shows that the clock was set back. */
  const asked = new Map<string, number>()

  return {
    async settle(tx, card, timed) {
      let { incident } = card
      let shown: CardCalls | null = null
      for (const one of asksOf(card)) {
        const { kept, ladder } = await look(tx, card.cardId, one)
        remember(one)
        for (const key of ladder.dropped) await tx.messages.drop(callId(one.id, key))
        const holder = ladder.isWorse ? (incident?.acknowledgedBy ?? null) : null
        if (incident && holder) {
          incident = { ...incident, acknowledgedBy: null }
          await tx.incidents.put(incident)
        }
        const sent: Sent[] = []
        for (const due of ladder.due.filter(({ key }) => timed || !isTimed(key))) {
          const { channel } = one.settings
          const others = await tx.calls.calledSince(now() - lookBackMs)
          const why = reasonOf(due.key, kept)
          // Who acknowledged it is among nobody else's people.
          const relieved = why === 'worse' ? holder : null
          const by = relieved ? null : coveredBy(due, { id: one.id, channel, now: now() }, others)
          const inCard = by === null && !isTimed(due.key) && !(await tx.messages.isKnown(card.cardId))
          sent.push({ ...due, at: now(), channel, inCard, by })
          if (by !== null) continue
          const people = [...new Set([...due.mention, ...(relieved ? [relieved] : [])])]
          if (people.length === 0) continue
          await tx.record({ kind: 'called', actor: bot, why, people })
          if (inCard) continue
          const expiring = card.proposals.find(({ id }) => due.key === `expiring:${id}`)
          await tx.messages.put(
            {
              ...{ id: callId(one.id, due.key), channel, threadOf: card.cardId, priority },
              ...{ once: true, broadcast: true },
              ...callNote({
                why,
                people,
                headline: headlineOf({ ...card, incident }),
                since: ladder.calls.since ?? now(),
                expiresAt: expiring?.expiresAt ?? null,
              }),
            },
            now(),
          )
        }
        const calls = withSent(ladder.calls, sent)
        if (!isDeepStrictEqual(calls, kept)) await tx.calls.put(one.id, calls)
        shown = shownOf(calls, ladder.next)
      }
      return { incident, calls: shown }
    },

    async isDue(tables, card) {
      for (const one of asksOf(card)) {
        const { kept, ladder } = await look(tables, card.cardId, one)
        if (ladder.due.length > 0 || !isDeepStrictEqual(ladder.calls, kept)) return true
        remember(one)
      }
      return false
    },

    async shown(tables, card) {
      const last = asksOf(card).at(-1)
      if (!last) return null
      const { kept, ladder } = await look(tables, card.cardId, last)
      return shownOf({ ...ladder.calls, sent: kept.sent }, ladder.next)
    },
  }

  async function look(
    tables: Pick<Tables, 'calls' | 'messages'>,
    cardId: string,
    { id, subject, settings }: Ask,
  ): Promise<{ readonly kept: Calls; readonly ladder: Ladder }> {
    const kept = (await tables.calls.get(id)) ?? noCalls
    const waiting = await waitingOf(tables, id, cardId, kept)
    const clock = { now: now(), before: asked.get(id) ?? null }
    const { notify, access } = settings
    const { approvers } = access
    return { kept, ladder: climb({ subject, notify, approvers, sent: kept, waiting, clock }) }
  }

  function remember({ id, subject: { incident, proposals } }: Ask) {
    const isOver = incident ? incident.resolvedAt !== null : proposals.every(({ state }) => state !== 'open')
    if (isOver) asked.delete(id)
    else asked.set(id, now())
  }

  function shownOf({ pausedAt, sent }: Calls, next: Rung | null): CardCalls {
    // A card that somebody deleted is posted again, which calls whom it mentions: not for what somebody looks after.
    const inCard = pausedAt === null ? sent.filter((one) => one.inCard) : []
    const mention = [...new Set(inCard.flatMap((one) => one.mention))]
    return {
      mention,
      next: next && {
        at: next.at,
        again: mention.join() === next.mention.join(),
        names: next.mention.flatMap((id) => nameOf(id) ?? []),
      },
    }
  }
}

/** Finds the calls that are not in Slack yet, and those whose carrier took its own back. */
async function waitingOf(
  { calls, messages }: Pick<Tables, 'calls' | 'messages'>,
  id: string,
  cardId: string,
  { sent }: Calls,
): Promise<ReadonlySet<CallKey>> {
  const waiting = new Set<CallKey>()
  for (const { key, by, inCard } of sent) {
    if (
      by === null ? await messages.isWaiting(inCard ? cardId : callId(id, key)) : !(await isCarried(by, key))
    )
      waiting.add(key)
  }
  return waiting

  async function isCarried(by: string, key: CallKey): Promise<boolean> {
    const carrier = await calls.get(by)
    return carrier !== null && carries(carrier, key)
  }
}

/** Lists the ladders of a card that calls somebody: that of its incident, or one for each request by hand. */
function asksOf({ settings, incident, proposals, silences }: CalledCard): Ask[] {
  if (!settings || !callsAnybody(settings.notify)) return []
  if (incident) {
    const isSilent = silenceOf(incident, silences) !== null
    return [{ id: incident.id, subject: { incident, proposals, isSilent }, settings }]
  }
  const last = proposals.at(-1)
  return (
    proposals
      // A shorter list goes on where the longer one was, with the same ladder.
      .filter((one) => isByHand(one) && (one === last || !one.bulk))
      .map((one) => ({
        id: one.bulk ? one.cardId : one.id,
        subject: { incident: null, proposals: [one], isSilent: false },
        settings,
      }))
  )
}

const callId = (id: string, key: CallKey): string => `call:${id}:${key}`

function reasonOf(key: CallKey, { worst }: Calls): CallReason {
  const [kind] = key.split(':')
  if (kind === 'request' || kind === 'remind' || kind === 'escalate' || kind === 'expiring') return kind
  return key === 'critical' && worst !== null && worst !== 'critical' ? 'worse' : 'card'
}
