import type { WatchedCluster } from '../commands/cluster.ts'
import type { RulesQuestion } from '../commands/lookCommand.ts'
import { type Filters, matchesFilters } from '../domain/lists/filters.ts'
import type { Thresholds } from '../domain/session/policy.ts'
import { explain, rulesAt } from '../domain/session/rules.ts'
import { isClient } from '../domain/session/session.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { attempt, type Unreadable, unreadable } from '../postgres/cluster.ts'
import { type RulesShown, rulesView } from '../views/answers/rules.ts'
import type { View } from '../views/kit.ts'

/**
 * Shows which thresholds hold here, for whom, and why. The rules are shown even while the cluster cannot be seen.
 * @param several whether there are other clusters to ask about
 */
export async function answerRules(
  { filters }: RulesQuestion,
  { cluster, config }: WatchedCluster,
  several: boolean,
  now: number,
): Promise<View> {
  const { watch } = config
  const seen = await see(cluster)
  const { db: database, user, app: applicationName } = filters
  const named = [database, user, applicationName].some((name) => name !== undefined)
  return rulesView(
    {
      ...('unread' in seen
        ? { sessions: null, unseen: seen.unread }
        : { sessions: countsOf(seen, watch, filters, now), unseen: null }),
      verdicts: named ? explain({ database, user, applicationName }, watch, now) : null,
    },
    { cluster: config.name, several, now, filters, thresholds: watch, missing: [] },
  )
}

async function see(cluster: WatchedCluster['cluster']): Promise<Snapshot | Unreadable> {
  const seen = await attempt(() => cluster.snapshot(), unreadable)
  return 'unread' in seen || seen.server.seesOthers ? seen : { unread: 'the bot lacks pg_monitor.' }
}

function countsOf(
  { sessions, takenAt }: Snapshot,
  watch: Thresholds,
  filters: Filters,
  now: number,
): NonNullable<RulesShown['sessions']> {
  const matching = sessions.filter((session) => isClient(session) && matchesFilters(session, filters))
  const counted = Map.groupBy(matching, rulesAt(watch, now))
  return {
    takenAt,
    counts: watch.rules.map((rule) => counted.get(rule)?.length ?? 0),
    others: counted.get(null)?.length ?? 0,
  }
}
