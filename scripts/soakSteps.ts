import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Message } from 'slack-workspace'
import { createVerifier, type StoredRow } from '../src/domain/approvals/journal.ts'
import { channel, hasButton, type Room } from '../test/support/harness.ts'
import type { TestServer, TestSession } from '../test/support/postgres.ts'
import type { Bot } from '../test/support/process.ts'
import type { Figures } from './figures.ts'

/** State of the bot, its store and its channel at one moment. */
export type Sample = Figures & {
  readonly second: number
  /** Its backends on the watched server, and its sockets to Slack. */
  readonly connections: number
  readonly sockets: number
  /** Messages that are not in Slack as they should be. */
  readonly outbox: number
  readonly incidents: number
  readonly open: number
  readonly journalRows: number
  readonly storeKb: number
}

/** Options of Node with which the bot reports its figures. */
export const figuresArgs = ['--expose-gc', '--import', resolve(import.meta.dirname, 'figures.ts')]

export async function sample(room: Room, bot: Bot, server: TestServer, second: number): Promise<Sample> {
  bot.child.send('figures')
  const [figures] = (await once(bot.child, 'message', { signal: AbortSignal.timeout(30_000) })) as [Figures]
  const { rows } = await ask(
    server,
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'pg-marshal'",
  )
  return {
    ...figures,
    second,
    connections: rows[0].n,
    sockets: room.workspace.sockets(),
    ...read(room, (count, db) => ({
      // What is in use, whatever the files beside it hold at the moment.
      storeKb: Math.round((pragma(db, 'page_count') * pragma(db, 'page_size')) / 1024),
      outbox: count('messages WHERE sent_revision < revision'),
      incidents: count('incidents'),
      open: count('incidents WHERE resolved_at IS NULL'),
      journalRows: count('journal'),
    })),
  }
}

function read<T>(room: Room, run: (count: (from: string) => number, db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  try {
    return run((from) => Number(db.prepare(`SELECT count(*) AS n FROM ${from}`).get()?.n), db)
  } finally {
    db.close()
  }
}

const pragma = (db: DatabaseSync, name: string): number =>
  Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0])

/** One after the other, as a client wants it. */
let asked: Promise<unknown> = Promise.resolve()
function ask(server: TestServer, sql: string, values: unknown[] = []) {
  const answer = asked.then(() => server.admin.query(sql, values))
  asked = answer.catch(() => {})
  return answer
}

export const isSettled = (room: Room): boolean =>
  read(
    room,
    (count) =>
      count('incidents WHERE resolved_at IS NULL') + count('messages WHERE sent_revision < revision') === 0,
  )

/** One piece of trouble that begins now; `end` ends every session of it. */
export async function makeTrouble(
  server: TestServer,
  shop: string,
  random: () => number,
): Promise<{ readonly what: string; readonly end: () => Promise<void> }> {
  const sessions: TestSession[] = []
  const open = async (name: string) => {
    const session = await server.open(name, shop)
    sessions.push(session)
    return session
  }
  const some = (most: number) => 1 + Math.floor(random() * most)
  const kinds: Record<string, () => Promise<void>> = {
    rows: async () => {
      const id = some(500)
      const root = await open('checkout')
      await root.query('BEGIN')
      await root.query("UPDATE orders SET state = 'paying' WHERE id = $1", [id])
      for (let n = some(6); n > 0; n--)
        void (await open(`web-${n}`)).start("UPDATE orders SET state = 'x' WHERE id = $1", [id])
    },
    advisory: async () => {
      const key = some(1_000_000)
      await (await open('nightly')).query('SELECT pg_advisory_lock($1)', [key])
      for (let n = some(3); n > 0; n--)
        void (await open(`worker-${n}`)).start('SELECT pg_advisory_lock($1)', [key])
    },
    forgotten: async () => {
      const session = await open('admin-tool')
      await session.query('BEGIN')
      await session.query('SELECT count(*) FROM orders')
    },
    runaway: async () => void (await open('report')).start('SELECT pg_sleep(300)'),
    crowd: async () => {
      for (let n = 0; n < 8; n++) {
        const session = await open(`pool-${n}`)
        await session.query('BEGIN')
        await session.query('SELECT 1')
      }
    },
  }
  const names = ['rows', 'rows', 'rows', 'advisory', 'advisory', 'forgotten', 'runaway', 'crowd']
  const what = names[Math.floor(random() * names.length)] ?? 'rows'
  await kinds[what]?.()
  return {
    what,
    end: async () => {
      await ask(server, 'SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [
        sessions.map(({ pid }) => pid),
      ])
      await Promise.all(sessions.map((session) => session.close()))
    },
  }
}

const chosen = <T>(all: readonly T[], random: () => number): T | undefined =>
  all[Math.floor(random() * all.length)]

/** Something goes wrong around the bot. Resolves when it is over, or when it only has to be met. */
export async function makeFault(room: Room, server: TestServer, random: () => number): Promise<string> {
  const { workspace } = room
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  const post = 'chat.postMessage'
  const faults: Record<string, () => unknown> = {
    'rate limit': () => workspace.fault({ kind: 'rateLimited', retryAfter: 1, times: 2 }),
    'errors 500': () => workspace.fault({ kind: 'error500', times: 3 }),
    'reply lost': () => workspace.fault({ method: post, kind: 'replyLost', times: 1 }),
    'edit hangs': () => workspace.fault({ method: 'chat.update', kind: 'hang', times: 1 }),
    'slow answers': () => workspace.fault({ kind: 'slow', ms: 800, times: 4 }),
    'sockets cut': () => workspace.disconnectSockets(),
    'sockets refreshed': () => workspace.refreshSockets(),
    'card deleted': () => {
      const card = chosen(
        cardsIn(room).filter((message) => hasButton(message, 'pg_acknowledge')),
        random,
      )
      if (card) workspace.deleteMessage(channel, card.ts)
    },
    'connections ended': () =>
      ask(
        server,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg-marshal'",
      ),
    'server frozen': async () => {
      server.suspend()
      await pause(1000 + random() * 3000)
      server.resume()
    },
  }
  const name = chosen(Object.keys(faults), random) ?? ''
  await faults[name]?.()
  return name
}

/** Somebody presses a button or types a command. */
export async function doSomething(room: Room, random: () => number): Promise<string> {
  const buttons = [
    'approve_terminate',
    'approve_cancel',
    'pg_acknowledge',
    'pg_details',
    'pg_show_all',
    'pg_offer_again',
  ]
  const commands = [
    'sessions',
    'blocking',
    'history',
    'quiet',
    'quiet 4s soak',
    'snooze blocking 4s',
    'snooze long 3s',
  ]
  const who = chosen(['U0DANA', 'U0DEVI', 'U0RESP', 'U0GUEST'], random) ?? 'U0DANA'
  const button = chosen(buttons, random) ?? ''
  const card = chosen(
    cardsIn(room).filter((message) => hasButton(message, button)),
    random,
  )
  const command = chosen(commands, random) ?? 'sessions'
  // Slack complains in the middle of a fault; that is part of the game.
  if (card && random() < 0.7) await room.press(who, card, button).catch(() => {})
  else await room.type(who, command).catch(() => {})
  return card ? button : command
}

const cardsIn = (room: Room): Message[] =>
  room.workspace.messages(channel).filter(({ ts, thread_ts: top = ts }) => top === ts)

const idOf = ({ metadata }: Message): string =>
  String((metadata?.event_payload as { id?: unknown } | undefined)?.id ?? '')

export type Check = { readonly what: string; readonly seen: string; readonly holds: boolean }

/** Checks what must hold at the end, when all trouble is over. */
export function judge(room: Room, samples: readonly Sample[]): Check[] {
  const last = samples.at(-1)
  const first = samples[0]
  if (!first || !last) throw new Error('nothing was measured')
  const check = (what: string, seen: string | number, holds: boolean): Check => ({
    what,
    seen: String(seen),
    holds,
  })

  const ids = cardsIn(room).map(idOf).filter(Boolean)
  const twice = ids.length - new Set(ids).size
  const { cards, broken } = read(room, (_, db) => {
    const cards = db.prepare('SELECT id, ts FROM messages WHERE thread_of IS NULL AND once = 0').all()
    const verifier = createVerifier()
    const rows = db
      .prepare('SELECT seq, at, card_id AS cardId, kind, event, previous, hash FROM journal ORDER BY seq')
      .all() as StoredRow[]
    return { cards, broken: rows.filter((row) => verifier.check(row) !== null).length }
  })
  const standing = new Map(cardsIn(room).map((message) => [message.ts, message]))
  const wrong = cards.filter(({ id, ts }) => {
    const message = standing.get(String(ts))
    return (
      !message ||
      idOf(message) !== id ||
      !/^(🟢 Resolved: |Resolved: |Nothing more in this list)/.test(message.text)
    )
  })
  const buttons = cardsIn(room).filter(
    (message) => hasButton(message, 'approve_terminate') || hasButton(message, 'approve_cancel'),
  )

  // What is compiled and cached at first is not lost: the second half counts.
  const late = samples.slice(Math.floor(samples.length / 2))
  const slope = slopeOf(late.map(({ second, heapMb }) => [second / 60, heapMb]))
  const handles = (one: Sample) => Object.values(one.resources).reduce((sum, n) => sum + n, 0)
  return [
    check('incidents that are still open', last.open, last.open === 0 && last.incidents > 0),
    check('messages left in the outbox', last.outbox, last.outbox === 0),
    check(
      'cards and digests that do not stand resolved',
      `${wrong.length} of ${cards.length}`,
      wrong.length === 0 && cards.length > 0,
    ),
    check('messages that stand twice', twice, twice === 0),
    check('cards that still offer an approval', buttons.length, buttons.length === 0),
    check('rows of the journal that do not fit', broken, broken === 0),
    check('connections to PostgreSQL', last.connections, last.connections === 2),
    check('sockets to Slack', last.sockets, last.sockets === 2),
    check(
      'heap after collection, growth of the second half (MB a minute)',
      slope.toFixed(2),
      slope < mostGrowth,
    ),
    check(
      'handles, first and last',
      `${handles(first)} and ${handles(last)}`,
      handles(last) <= handles(first) + 6,
    ),
    check(
      'store (kB for each incident)',
      Math.round(last.storeKb / last.incidents),
      last.storeKb / last.incidents < 64,
    ),
  ]
}

/** Noise of a few minutes stays below; a leak of one picture a look (100 kB, twice a second) is ten times that. */
const mostGrowth = 1

/** Least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (of: readonly number[]) => of.reduce((sum, n) => sum + n, 0) / of.length
  const [x, y] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0)
  return spread === 0 ? 0 : points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread
}
