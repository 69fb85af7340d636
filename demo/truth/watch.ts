import { type Picture, pictureOf } from '../../src/domain/locks/picture.ts'
import { loginsUnseenMs } from '../../src/domain/session/loggingIn.ts'
import { isClient, type Session } from '../../src/domain/session/session.ts'
import type { Log } from '../../src/log.ts'
import { activityFrom, afresh, areNamed, sessionFrom } from '../../src/postgres/activityRows.ts'
import { createConnection } from '../../src/postgres/connection.ts'
import { clusterErrorOf } from '../../src/postgres/errors.ts'
import { createLockReader } from '../../src/postgres/lockReader.ts'
import { decoded, serverFrom, textRows } from '../../src/postgres/rows.ts'
import { createServerFacts } from '../../src/postgres/serverFacts.ts'
import { statements } from '../../src/postgres/statements.ts'
import { ownName } from '../admin.ts'
import { type ServerView, unseen, viewOf } from './view.ts'

export type Truth = {
  view(): ServerView
  /** Every look, also when nothing changed. The picture is null when the server did not answer. */
  onLook(listener: (view: ServerView, picture: Picture | null) => void): void
  close(): Promise<void>
}

const everyMs = 500
/** Longer is a server that does not answer. */
const patienceMs = 1_500
const settings = { application_name: ownName }

/**
 * The server's own view, read by a superuser on connections of the practice room and not through the bot: so it also
 * shows what the bot may have got wrong. Two looks a second, as cheap as the bot's own (see postgres/).
 */
export async function watchTruth(options: {
  readonly url: string
  readonly botUser: string
  readonly log: Log
}): Promise<Truth> {
  const { url, log } = options
  const known = createServerFacts({ log, now: Date.now })
  const activity = createConnection({
    url,
    log,
    connectMs: patienceMs,
    deadlineMs: patienceMs,
    onDeadline: 'drop',
    settings: { ...settings, statement_timeout: String(patienceMs), lock_timeout: '200' },
    prepare: async (query) => {
      await known.learn(query)
    },
  })
  const locks = createConnection({
    url,
    log,
    connectMs: patienceMs,
    deadlineMs: patienceMs,
    onDeadline: 'wait',
    settings: { ...settings, statement_timeout: '5000', lock_timeout: '200' },
  })
  const lockReader = createLockReader({ connection: locks, deadlineMs: patienceMs, now: Date.now })
  await Promise.all([activity.start(), locks.start()])

  const look = async (): Promise<Picture> => {
    const takenAt = Date.now()
    const { rows, at } = await activityFrom(await activity.query(statements.activity, afresh(null)))
    if (!areNamed(rows, known.names())) await known.learn(activity.query)
    const facts = known.latest()
    if (facts === null) throw activity.failure()
    const sessions = rows.map((row) => sessionFrom(row, at, known.names()))
    const others = sessions.filter(({ applicationName }) => applicationName !== ownName)
    const server = serverFrom(facts, true)
    const snapshot = {
      cluster: 'truth',
      takenAt,
      server,
      sessions: await withText(others),
      ownConnections: sessions.length - others.length,
      locks: await lockReader.read(others, facts.datid, loginsUnseenMs(server)),
      health: null,
    }
    return pictureOf(snapshot)
  }
  /** In full: it is the server's own view, and the people of this company are made up. */
  const withText = async (sessions: readonly Session[]): Promise<Session[]> => {
    const pids = sessions.filter(isClient).map(({ pid }) => pid)
    const rows = textRows.parse(await activity.query(statements.text, [pids, 300, 300]))
    const texts = new Map(rows.map(({ pid, query }) => [pid, query && decoded(query)]))
    return sessions.map((session) => ({ ...session, query: texts.get(session.pid) ?? null }))
  }

  const listeners = new Set<Parameters<Truth['onLook']>[0]>()
  let view = unseen
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let last = Promise.resolve()
  const once = async (): Promise<void> => {
    let picture: Picture | null = null
    try {
      picture = await look()
      view = viewOf(picture, options.botUser)
    } catch (error) {
      // What was seen last stays on the page, marked as old.
      view = { ...view, state: 'silent', why: clusterErrorOf(error).reason }
    }
    if (closed) return
    for (const listener of listeners) listener(view, picture)
    timer = setTimeout(again, everyMs)
  }
  const again = () => {
    last = once()
  }
  again()

  return {
    view: () => view,
    onLook: (listener) => listeners.add(listener),
    close: async () => {
      closed = true
      clearTimeout(timer)
      await Promise.all([activity.close(), locks.close()])
      await last
    },
  }
}
