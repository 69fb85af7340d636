import { setTimeout as pause } from 'node:timers/promises'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { guardOf } from '../domain/approvals/approvedState.ts'
import { isBulk } from '../domain/approvals/bulk.ts'
import { isFromHost } from '../domain/host/identity.ts'
import { contendedTargets, ownLocks } from '../domain/locks/list.ts'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import { type Session, sessionKeyOf } from '../domain/session/session.ts'
import type { Cards } from '../notify/cards.ts'
import { attempt, unreadable } from '../postgres/cluster.ts'
import { signalStatement } from '../postgres/signalStatement.ts'
import type { Store } from '../store/store.ts'
import { bulkModal } from '../views/card/bulkModal.ts'
import { targetOfCard } from '../views/card/card.ts'
import type { CardState } from '../views/card/cardState.ts'
import { detailsModal, type LocksNow } from '../views/card/details.ts'
import { explained, waitEventOf } from '../views/words.ts'
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
      ...(target ? await inTime(targetNow(watched, target)) : { locks: null, wait: null }),
      history: await store.journal.ofCards([cardId], mostRows),
      sql: sqlOf(card),
      now: now(),
    })
    return { modal }
  }
}

/** Locks and wait of a target, as the modal shows them. */
type Now = { readonly locks: LocksNow; readonly wait: string | null }

const late: Now = { locks: { unread: 'the server did not answer in time' }, wait: null }

const inTime = (read: Promise<Now>): Promise<Now> =>
  Promise.race([read, pause(lookWithinMs, late, { ref: false })])

/** Reads what a session holds and waits for, where it is still the same one. In a lock storm the lock table is left alone. */
async function targetNow({ cluster }: WatchedCluster, target: Session): Promise<Now> {
  if (isFromHost(target)) return { locks: { unread: 'the operating system shows none' }, wait: null }
  const picture = await attempt(async () => pictureOf(await cluster.snapshot()), unreadable)
  if ('unread' in picture) return { locks: picture, wait: null }
  const { pid, backendStart } = target
  const session = picture.snapshot.sessions.find(
    (one) => one.pid === pid && one.backendStart === backendStart,
  )
  if (!session) return { locks: { gone: true }, wait: null }
  const event = waitEventOf(session)
  const [locks, words] = await Promise.all([locksOf(cluster, session, picture), cluster.explainWait(session)])
  return { locks, wait: event === '' ? null : `${event}${explained(words)}` }
}

async function locksOf(
  cluster: WatchedCluster['cluster'],
  { pid, leaderPid }: Session,
  { snapshot, forest }: Picture,
): Promise<LocksNow> {
  const { locks, sessions } = snapshot
  if (locks.kind === 'jammed') return { unread: 'the lock table is left alone while too many wait for it' }
  const contended = locks.kind === 'read' ? contendedTargets(locks.table, sessions, forest) : []
  return attempt(
    async () => ({ locks: ownLocks(await cluster.locksOf(pid), leaderPid ?? pid, contended, forest) }),
    unreadable,
  )
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
