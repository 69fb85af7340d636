import { setTimeout as pause } from 'node:timers/promises'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { guardOf } from '../domain/approvals/approvedState.ts'
import { isBulk } from '../domain/approvals/bulk.ts'
import { isFromHost } from '../domain/host/identity.ts'
import { contendedTargets, ownLocks } from '../domain/locks/list.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { type Session, sessionKeyOf } from '../domain/session/session.ts'
import type { Cards } from '../notify/cards.ts'
import { attempt, unreadable } from '../postgres/cluster.ts'
import { signalStatement } from '../postgres/signalStatement.ts'
import type { Store } from '../store/store.ts'
import { bulkModal } from '../views/card/bulkModal.ts'
import { targetOfCard } from '../views/card/card.ts'
import type { CardState } from '../views/card/cardState.ts'
import { detailsModal, type LocksNow } from '../views/card/details.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'

/** Reads all that stands behind the button "Details" of a card, for who may see its cluster. */
export type ReadDetails = (
  caller: Caller,
  cardId: string,
  /** Page of the list of a bulk request; the first is 1. */
  page?: number,
) => Promise<{ readonly refusal: Refusal } | { readonly modal: ReturnType<typeof detailsModal> }>

/** So many rows of the journal are looked through. */
const mostRows = 40

/** The look at the server may take so long: a modal opens within three seconds of the press, or not at all. */
const lookWithinMs = 1500

export function createReadDetails(deps: {
  readonly cards: Pick<Cards, 'state'>
  readonly store: Pick<Store, 'journal'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly now: () => number
}): ReadDetails {
  const { cards, store, clusters, authorization, now } = deps
  return async (caller, cardId, page = 1) => {
    const entry = { caller, where: 'button pg_details' }
    const card = await cards.state(cardId)
    const watched = card && clusters.get(card.cluster)
    if (!watched) return { refusal: await authorization.refuse(entry, unknownButton) }
    const refusal = await authorization.authorize(entry, watched.config.access.viewers, false)
    if (refusal) return { refusal }
    const latest = card.proposals.at(-1)
    if (latest && isBulk(latest)) return { modal: bulkModal({ card, proposal: latest, page, now: now() }) }
    const target = card.incident?.resolvedAt == null ? targetOfCard(card) : null
    const modal = detailsModal({
      card,
      locks: target && (await inTime(locksOf(watched, target))),
      history: await store.journal.ofCards([cardId], mostRows),
      sql: sqlOf(card),
      now: now(),
    })
    return { modal }
  }
}

const late: LocksNow = { unread: 'the server did not answer in time' }

const inTime = (read: Promise<LocksNow>): Promise<LocksNow> =>
  Promise.race([read, pause(lookWithinMs, late, { ref: false })])

/** Reads the locks of a session, where it is still the same one. In a lock storm the lock table is left alone. */
const locksOf = ({ cluster }: WatchedCluster, target: Session): Promise<LocksNow> => {
  const { pid, backendStart } = target
  if (isFromHost(target)) return Promise.resolve({ unread: 'the operating system shows none' })
  return attempt(async (): Promise<LocksNow> => {
    const { snapshot, forest } = pictureOf(await cluster.snapshot())
    const session = snapshot.sessions.find((one) => one.pid === pid && one.backendStart === backendStart)
    if (!session) return { gone: true }
    if (snapshot.locks.kind !== 'read')
      return { unread: 'the lock table is left alone while too many wait for it' }
    const contended = contendedTargets(snapshot.locks.table, snapshot.sessions, forest)
    return { locks: ownLocks(await cluster.locksOf(pid), session.leaderPid ?? pid, contended, forest) }
  }, unreadable)
}

/** Writes the statement that ends the session of a card: what an approval sends, else what one would send. */
function sqlOf({ cluster, incident, proposals }: CardState): string | null {
  const latest = proposals.at(-1)
  // It is a signal of the system, and no statement.
  if (latest && isFromHost(latest.key)) return null
  const target = incident?.recommendation?.target
  const guard =
    latest?.state === 'open'
      ? guardOf(latest)
      : target &&
        guardOf({ ...target, key: sessionKeyOf(cluster, target.session), victims: [], requestedBy: null })
  return guard ? `${signalStatement(guard).sql};` : null
}
