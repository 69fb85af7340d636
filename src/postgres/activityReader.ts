import { randomInt } from 'node:crypto'
import type { Session } from '../domain/session/session.ts'
import type { Log } from '../log.ts'
import {
  type ActivityRead,
  type ActivityRow,
  activityFrom,
  afresh,
  areNamed,
  sessionFrom,
} from './activityRows.ts'
import { badRows } from './checked.ts'
import { ClusterError } from './errors.ts'
import { createRecordedTexts } from './recordedTexts.ts'
import type { ServerFacts } from './serverFacts.ts'
import { statements } from './statements.ts'
import type { TwoConnections } from './twoConnections.ts'

/** Reader of what the processes of a server do. It keeps what is known of the server in step with that. */
export type ActivityReader = {
  /** Reads every process, and with `texts` the statements for the record; null where none is kept. Throws ClusterError. */
  all(): Promise<ActivityRead & { readonly texts: ReadonlyMap<number, string> | null }>
  /** Asks for everything at the next look: another server may be at the other end by then. */
  forget(): void
  /** Reads sessions by pid. Throws ClusterError. */
  sessions(pids: readonly number[]): Promise<Session[]>
  /** Reads the facts again, after a look at these; those who ask at the same time share one reading. Never throws. */
  learnAgain(all: readonly ActivityRow[]): Promise<unknown>
}

/** Bytes of a statement that the record keeps: as many as an answer on the terminal shows. */
const longestRecorded = 2_000

export function createActivityReader({
  activity,
  locks,
  facts,
  recordText,
  log,
}: TwoConnections & {
  readonly facts: ServerFacts
  readonly recordText: ((text: string) => string | null) | null
  readonly log: Log
}): ActivityReader {
  const recorded = createRecordedTexts(recordText)
  /** Nobody else knows it: with that number of his own choice a stranger could look as if nothing had changed. */
  const seed = randomInt(2 ** 48 - 1)
  let rows: readonly ActivityRow[] = []
  let known: string | null = null

  /** A server with rows that cannot be read cannot be seen: the connection counts as made again when they can be read. */
  const blindIfOdd = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await read()
    } catch (error) {
      if (error instanceof ClusterError && error.code === badRows) activity.drop(error)
      throw error
    }
  }

  let learning: Promise<unknown> | null = null
  /** A failure leaves what was known. In a storm a shared catalog is not for the activity connection. */
  const learn = (isCalm: boolean): Promise<unknown> => {
    learning ??= blindIfOdd(() => facts.learn(isCalm ? activity.query : locks.query))
      .catch((error) => {
        // Nobody may be waiting for it. A failure of the connection is reported by the connection; this is a fault of ours.
        if (!(error instanceof ClusterError)) log.error({ fault: error?.name }, 'facts could not be read')
      })
      .finally(() => {
        learning = null
      })
    return learning
  }

  return {
    all: async () => {
      // A look that is under way when the connection changes may still ask with what it knows: by their numbers, the rows are right there too.
      const before = rows
      const asked = [null, recorded.since(), longestRecorded, recorded.isMissing() ? null : known, seed]
      const read = await blindIfOdd(async () =>
        activityFrom(await activity.query(statements.activity, asked), before),
      )
      rows = read.rows
      known = read.known
      if (!areNamed(rows, facts.names())) await learn(isCalm(rows))
      return { ...read, texts: recorded.take(read) }
    },
    forget: () => {
      known = null
    },
    sessions: async (pids) => {
      const read = await blindIfOdd(async () =>
        activityFrom(await activity.query(statements.activity, afresh(pids))),
      )
      // A few rows do not show how the server is.
      if (!areNamed(read.rows, facts.names())) await learn(false)
      return read.rows.map((row) => sessionFrom(row, read.at, facts.names()))
    },
    learnAgain: (all) => learn(isCalm(all)),
  }
}

const isCalm = (rows: readonly ActivityRow[]): boolean =>
  rows.every((row) => row.wait_event !== 'LockManager')
