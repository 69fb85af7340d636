import { randomUUID } from 'node:crypto'
import { bot } from '../domain/approvals/journal.ts'
import { placeUnreachable } from '../domain/incidents/assignCards.ts'
import { needsRedraw } from '../domain/incidents/change.ts'
import { connectionsUsed } from '../domain/incidents/finding.ts'
import {
  hasOwnCard,
  type Incident,
  openedWith,
  reopenWithinMs,
  resolve,
} from '../domain/incidents/incident.ts'
import { kindNames } from '../domain/incidents/severity.ts'
import type { LastSeen, Unreachable } from '../domain/incidents/unreachable.ts'
import { isClient, waitsForLock } from '../domain/session/session.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Cards, CardsTx } from '../notify/cards.ts'
import type { ClusterError } from '../postgres/cluster.ts'
import type { Placed } from '../store/incidents.ts'
import type { Store } from '../store/store.ts'
import { createVisibility } from './visibility.ts'

/** Follows whether a cluster can be seen, as one incident for as long as it cannot. */
export type Reachability = {
  /** Nothing could be seen, and why. */
  lost(why: ClusterError): Promise<void>
  /** The server answered. */
  back(snapshot: Snapshot): Promise<void>
}

export function createReachability(deps: {
  readonly cluster: string
  /** The clusters whose cards stand in the same channel, this one among them. */
  readonly neighbours: () => readonly string[]
  readonly cardsPerMinute: number
  readonly store: Store
  readonly cards: Cards
  readonly now: () => number
}): Reachability {
  const { cluster, neighbours, cardsPerMinute, store, cards, now } = deps
  // Only what is shown of it: a whole look at each of hundreds of clusters would be most of the memory.
  let last: Omit<LastSeen, 'openIncidents'> | null = null
  /** False while none is open: then the store needs not be asked at each look. */
  let mayBeOpen = true

  const openOne = async (): Promise<Incident | null> => {
    if (!mayBeOpen) return null
    const open = (await store.incidents.open(cluster)).find(isUnreachable) ?? null
    mayBeOpen = open !== null
    return open
  }
  const visibility = createVisibility<ClusterError, Incident>({
    now,
    current: openOne,
    lost: open,
    goesOn,
    back: close,
  })

  return {
    lost: visibility.lost,
    async back(snapshot) {
      await visibility.back()
      if (snapshot.server.seesOthers) last = seenIn(snapshot)
    },
  }

  async function open(since: number, why: ClusterError) {
    const at = now()
    const before = (await store.incidents.recent(cluster, at - reopenWithinMs)).findLast(isUnreachable)
    const finding = await findingOf(why, (at - (before?.beganAt ?? since)) / 1000)
    const incident = before
      ? { ...before, finding, changedAt: at, resolvedAt: null, resolution: null }
      : openedWith(finding, null, { cluster, takenAt: at }, randomUUID())
    mayBeOpen = true
    await write(incident, {
      kind: before ? 'incidentReopened' : 'incidentOpened',
      what: before ? 'It is back.' : why.reason,
    })
  }

  /** Keeps the card true: a reason that somebody has to mend is news; else it is drawn again as time goes by. */
  async function goesOn(incident: Incident, why: ClusterError) {
    const { finding: was } = incident
    if (was.kind !== 'unreachable') return
    // That a connection has ended says less than why another one is refused.
    const { code, reason } = why.isInterruption ? was : why
    const finding: Unreachable = { ...was, code, reason, seconds: (now() - incident.beganAt) / 1000 }
    const isOther = reason !== was.reason
    // One in a digest moves to a card of its own then too: with hundreds, it is not looked for at each look.
    if (!isOther && !needsRedraw(was, finding)) return
    const news = isOther && !why.retryable ? { kind: 'incidentChanged' as const, what: reason } : null
    await write({ ...incident, finding, changedAt: now() }, news)
  }

  async function close(incident: Incident) {
    await write(resolve(incident, now(), answersAgain), { kind: 'incidentResolved', what: answersAgain })
    mayBeOpen = false
  }

  async function write(
    changed: Incident,
    event: {
      readonly kind: 'incidentOpened' | 'incidentReopened' | 'incidentChanged' | 'incidentResolved'
      readonly what: string
    } | null,
  ) {
    const drawn: string[] = []
    await cards.commitAll(drawn, async (tx) => {
      const written = await tx.incidents.get(changed.id)
      const current = { ...changed, acknowledgedBy: written?.acknowledgedBy ?? null }
      // Among those that others open at this moment: a cut of the network blinds all of them at once.
      const incident =
        current.resolvedAt === null
          ? placeUnreachable(
              current,
              await others(tx),
              { cardsPerMinute, isNew: written === null },
              { now: now(), newId: randomUUID },
            )
          : current
      if (hasOwnCard(incident)) drawn.push(incident.cardId)
      if (incident.digestId) drawn.push(incident.digestId)
      await tx.incidents.put(incident)
      const { kind, what } = event ?? {}
      if (!kind || what === undefined) return
      await tx.on(incident.cardId).record({
        kind,
        actor: bot,
        ...(hasOwnCard(incident)
          ? { what }
          : { what: `${kindNames.unreachable}: ${what}`, incidentId: incident.id }),
      })
    })
  }

  /** Reads where the incidents of this kind stand that are open in the same channel. */
  async function others({ incidents }: Pick<CardsTx, 'incidents'>): Promise<Placed[]> {
    const near = new Set(neighbours())
    const open = await incidents.openWithKey('unreachable' satisfies Unreachable['kind'])
    return open.filter((one) => one.cluster !== cluster && near.has(one.cluster))
  }

  async function findingOf({ code, reason }: ClusterError, seconds: number): Promise<Unreachable> {
    return { kind: 'unreachable', code, reason, seconds, last: await lastSeen() }
  }

  async function lastSeen(): Promise<LastSeen | null> {
    if (last === null) return null
    const open = await store.incidents.open(cluster)
    return { ...last, openIncidents: open.filter((one) => !isUnreachable(one)).length }
  }
}

function seenIn(snapshot: Snapshot): Omit<LastSeen, 'openIncidents'> {
  const clients = snapshot.sessions.filter(isClient)
  return {
    at: snapshot.takenAt,
    sessions: clients.length,
    waiting: clients.filter(waitsForLock).length,
    used: connectionsUsed(snapshot),
    max: snapshot.server.maxConnections,
  }
}

/** Separates what cannot be seen at all from what is seen to be wrong. */
export const isUnreachable = ({ finding }: Pick<Incident, 'finding'>): boolean =>
  finding.kind === 'unreachable'

const answersAgain = 'The server answers again.'
