import { bot, type JournalEvent } from '../domain/approvals/journal.ts'
import { formatDuration } from '../domain/text/duration.ts'
import type { Cards } from '../notify/cards.ts'
import { attempt, type Cluster } from '../postgres/cluster.ts'
import type { Journal } from '../store/journal.ts'
import { createVisibility, type Loss } from './visibility.ts'

/** Messages to the channel of a cluster about the monitoring itself. */
export type WatchStatus = {
  /** The cluster was seen. `seesOthers`: with what its sessions do. */
  seen(seesOthers: boolean): Promise<void>
  /** Reports that something happened to the monitoring itself, each time. */
  gap(what: string): Promise<void>
  /** Reports that monitoring does not keep up, and why, or does again (null); only when that changes. */
  behind(reason: string | null): Promise<void>
  /** Reports why health checks fail, or that they work again (null); only when that changes. */
  healthUnavailable(reason: string | null): Promise<void>
}

/** Interval of the checks whether a privilege was granted or lost. */
const privilegesEveryMs = 60_000

export function createWatchStatus(deps: {
  readonly cluster: Pick<Cluster, 'name' | 'missingPrivileges'>
  readonly journal: Journal
  readonly cards: Cards
  readonly now: () => number
}): WatchStatus {
  const { cluster, journal, cards, now } = deps
  const about = { actor: bot, cluster: cluster.name }
  const say = (event: JournalEvent) => cards.commit(null, (tx) => tx.record(event))
  /** Since when only the sessions' doings are hidden; undefined until the journal was asked. */
  let blindSince: number | null | undefined
  const { lost, back } = createVisibility<Loss, number>({
    now,
    current: async () => {
      if (blindSince === undefined) {
        const rows = await journal.latestAbout(cluster.name, ['blind', 'seesAgain'])
        const [last] = rows.flatMap(({ event }) => ('since' in event && event.since !== null ? [event] : []))
        blindSince = last?.kind === 'blind' ? last.since : null
      }
      return blindSince
    },
    lost: async (since, { reason }) => {
      await say({ kind: 'blind', ...about, since, reason })
      blindSince = since
    },
    goesOn: async () => {},
    back: async (since) => {
      const reason = `It was blind for ${formatDuration((now() - since) / 1000)}.`
      await say({ kind: 'seesAgain', ...about, since, reason })
      blindSince = null
    },
  })
  let reported = ''
  let askPrivilegesAt = 0

  return {
    async seen(seesOthers) {
      await reportMissingPrivileges(seesOthers)
      await (seesOthers ? back() : lost(withoutGrant))
    },

    gap: (reason) => say({ kind: 'blind', ...about, since: null, reason }),

    behind: turning('watching is behind', 'Watching keeps up.'),

    healthUnavailable: turning(
      'deadlocks, prepared transactions, vacuum, wraparound and slots are not seen',
      'Deadlocks, prepared transactions, vacuum, wraparound and slots are seen too.',
    ),
  }

  /** Reports when something begins to go wrong, and when it works again. */
  function turning(wrong: string, right: string): (reason: string | null) => Promise<void> {
    let isWrong = false
    return async (reason) => {
      if ((reason !== null) === isWrong) return
      await say(
        reason
          ? { kind: 'blind', ...about, since: null, reason: `${wrong}: ${reason}` }
          : { kind: 'seesAgain', ...about, since: null, reason: right },
      )
      isWrong = reason !== null
    }
  }

  /** Says once what the role lacks, and again when that has changed. */
  async function reportMissingPrivileges(sees: boolean) {
    // A lost privilege is reported at once, a suspected one once a minute.
    if (sees && now() < askPrivilegesAt) return
    askPrivilegesAt = now() + privilegesEveryMs
    // The look itself went well; what is wrong with the other connection shows in the snapshots.
    const all = await attempt(
      () => cluster.missingPrivileges(),
      () => [],
    )
    const missing = all.filter(({ needed }) => needed)
    const fixes = missing.map(({ fix }) => fix).join()
    if (fixes === reported) return
    reported = fixes
    for (const { what, fix } of missing) await say({ kind: 'lacking', ...about, what, remedy: fix })
  }
}

/** The cluster answers, but its sessions' doings are not shown to us. */
export const withoutGrant: Loss = {
  reason: 'the bot lacks pg_monitor, so it cannot see what other sessions do.',
  retryable: false,
  isInterruption: false,
}
