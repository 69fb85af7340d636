import { isBulk } from '../domain/approvals/bulk.ts'
import { noteMembersRetry } from '../domain/approvals/bulkTransitions.ts'
import {
  isSameWork,
  mayBeRetried,
  type Retries,
  retriesIn,
  retriesRememberedMs,
  retryCandidates,
} from '../domain/approvals/retry.ts'
import { noteRetry } from '../domain/approvals/transitions.ts'
import type { Session } from '../domain/session/session.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import type { Cluster } from '../postgres/cluster.ts'
import type { Store } from '../store/store.ts'

/**
 * Sees whether applications begin again what was ended, and writes it down.
 * @returns what is known of the application of a session
 */
export async function followRetries(
  deps: { readonly cluster: Cluster; readonly store: Store; readonly cards: Cards },
  snapshot: Snapshot,
): Promise<(session: Session) => Retries | null> {
  const { cluster, store, cards } = deps
  const all = await store.proposals.doneSince(snapshot.takenAt - retriesRememberedMs)
  const done = all.filter(({ key }) => key.cluster === cluster.name)
  const tried = done.flatMap((proposal) =>
    mayBeRetried(proposal, snapshot.takenAt).map((ended) => {
      return { id: proposal.id, ended, heirs: retryCandidates(ended, snapshot) }
    }),
  )
  const heirs = new Set(tried.flatMap((one) => one.heirs.map(({ session }) => session)))
  const withTexts = new Map((await cluster.withText([...heirs])).map((heir) => [heir.pid, heir]))
  const known = new Map(done.map((proposal) => [proposal.id, proposal]))
  for (const { id, ended, heirs } of tried) {
    const proposal = known.get(id)
    const [same] = heirs.flatMap(({ session, afterMs }) => {
      const heir = withTexts.get(session.pid)
      return heir && isSameWork(ended.session, heir) ? [{ heir, afterMs }] : []
    })
    if (!proposal || !same) continue
    const { heir, afterMs } = same
    const step = isBulk(proposal)
      ? noteMembersRetry(proposal, heir, afterMs)
      : noteRetry(proposal, heir.pid, afterMs)
    const marked = step && (await cards.commit(proposal.cardId, (tx) => advance(tx, proposal, step)))
    if (marked) known.set(id, marked)
  }
  return retriesIn([...known.values()])
}
