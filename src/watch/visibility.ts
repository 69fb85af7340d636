import { bot } from '../domain/approvals/journal.ts'
import { formatDuration } from '../domain/text/duration.ts'
import type { Cards } from '../notify/cards.ts'
import type { Journal } from '../store/journal.ts'

export type Visibility = {
  /**
   * Reports once that nothing can be seen, with the reason; and again when it becomes one that does not pass by itself. That a
   * connection has ended is not the reason yet: the attempt to make another one shows the reason, or that all is well.
   */
  lost(why: Loss): Promise<void>
  /** Reports that the cluster is seen, when it was not before, also when that was before a restart. */
  back(): Promise<void>
}

export type Loss = {
  readonly reason: string
  /** It may pass without anybody's help. */
  readonly retryable: boolean
  /** The connection has just ended. */
  readonly isInterruption: boolean
}

/** Milliseconds that an interruption may last without a report: the first attempts to connect come sooner. */
const interruptionMs = 3000

/** A server that is lost again so soon after it was reported to be back flaps. It is reported only when it stays away longer. */
const flappingMs = 60_000
const flapMs = 10_000

/** Reports in the channel of a cluster when watching is blind and when it sees again. The journal remembers it. */
export function createVisibility(deps: {
  readonly cluster: string
  readonly journal: Journal
  readonly cards: Cards
  readonly now: () => number
}): Visibility {
  const { cluster, journal, cards, now } = deps
  let blind: { readonly since: number; readonly reason: string } | null | undefined
  let lostAt: number | null = null
  let backAt = Number.NEGATIVE_INFINITY

  const current = async () => {
    if (blind === undefined) {
      const rows = await journal.latestAbout(cluster, ['blind', 'seesAgain'])
      const [last] = rows.flatMap(({ event }) => ('since' in event && event.since !== null ? [event] : []))
      blind =
        last?.kind === 'blind' && last.since !== null ? { since: last.since, reason: last.reason } : null
    }
    return blind
  }
  const say = (kind: 'blind' | 'seesAgain', since: number, reason: string) =>
    cards.commit(null, (tx) => tx.record({ kind, actor: bot, cluster, since, reason }))

  return {
    async lost({ reason, retryable, isInterruption }) {
      const before = await current()
      lostAt ??= now()
      const patience = lostAt - backAt < flappingMs ? flapMs : isInterruption ? interruptionMs : 0
      if (before ? retryable || before.reason === reason : now() - lostAt < patience) return
      // Remembered when it is written down: while the store takes nothing, it is still to be reported.
      const since = before?.since ?? lostAt
      await say('blind', since, reason)
      blind = { since, reason }
    },
    async back() {
      const before = await current()
      lostAt = null
      if (!before) return
      await say(
        'seesAgain',
        before.since,
        `It was blind for ${formatDuration((now() - before.since) / 1000)}.`,
      )
      blind = null
      backAt = now()
    },
  }
}
