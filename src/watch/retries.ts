import type { Proposal } from '../domain/approvals/proposal.ts'
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
  const retried = new Map<string, Proposal>()
  for (const ended of mayBeRetried(done, snapshot.takenAt)) {
    const heirs = retryCandidates(ended, snapshot)
    const withTexts = await cluster.withText(heirs.map(({ session }) => session))
    const heir = heirs.find((_, index) => withTexts[index] && isSameWork(ended.session, withTexts[index]))
    if (!heir) continue
    const { session, afterMs } = heir
    const step = noteRetry(ended, session.pid, afterMs)
    const marked = await cards.commit(ended.cardId, (tx) => advance(tx, ended, step))
    if (marked) retried.set(ended.id, marked)
  }
  return retriesIn(done.map((proposal) => retried.get(proposal.id) ?? proposal))
}
