import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { createVerifier, type JournalEvent, type StoredRow } from '../../src/domain/approvals/journal.ts'
import type { Proposal } from '../../src/domain/approvals/proposal.ts'
import { channel, hasButton, openRoom, type Room, wordsOf } from './harness.ts'
import { type TestServer, waitFor } from './postgres.ts'
import { type Bot, serve } from './process.ts'

/** Progress of the approval when the process was killed, as the journal and the server show it afterwards. */
export type Step =
  | 'before the claim'
  | 'between claim and signal'
  | 'between signal and outcome'
  | 'after the outcome'

export type Round = { readonly killedAt: Step; readonly outcome: string | null; readonly presses: number }

/** Prepares the server for the rounds: a table, a role, and a count of what the bot's statements did. */
export async function prepare(server: TestServer): Promise<string> {
  const shop = await server.createRole('shop')
  await server.admin.query(`
    CREATE EXTENSION pg_stat_statements;
    CREATE TABLE orders (id int PRIMARY KEY, state text);
    INSERT INTO orders VALUES (1, 'open');
    GRANT ALL ON orders TO shop`)
  return shop
}

/**
 * One approval by several people at once, during which the process is killed at a random moment and started again (and
 * perhaps killed and started once more). Throws when an invariant does not hold afterwards: at most one signal, none
 * without an intent on disk, one outcome for each intent, an unbroken journal, a card that says how it ended.
 */
export async function chaosRound(server: TestServer, shop: string, random: () => number): Promise<Round> {
  await server.admin.query('SELECT pg_stat_statements_reset()')
  const room = await openRoom(server.marshalUrl)
  const root = await server.open('checkout', shop)
  const bots: Bot[] = []
  let frozen = false
  try {
    await root.query('BEGIN')
    await root.query("UPDATE orders SET state = 'paying' WHERE id = 1")
    const victim = await server.open('web', shop)
    void victim.start("UPDATE orders SET state = 'x' WHERE id = 1")
    await server.untilWaiting(victim)
    bots.push(await serve(room))
    const card = await room.card('approve_terminate')

    // A backend that is stopped takes no notice of its signal: that stretches the time between signal and outcome.
    if (random() < 0.5) {
      process.kill(root.pid, 'SIGSTOP')
      frozen = true
    }
    const people = ['U0DANA', 'U0DEVI', 'U0GUEST']
    const presses = 1 + Math.floor(random() * 5)
    if (random() < 0.3) room.workspace.duplicateNext()
    const pressed = Array.from({ length: presses }, () =>
      room
        .press(people[Math.floor(random() * people.length)] ?? 'U0DANA', card, 'approve_terminate')
        .catch(() => null),
    )
    await delay(random() * (frozen ? 400 : 120))
    await bots[0]?.kill('SIGKILL')
    const killedAt = await stepOf(server, room)
    if (random() < 0.3) {
      const again = await serve(room)
      bots.push(again)
      await delay(random() * 50)
      await again.kill('SIGKILL')
    }
    if (frozen) process.kill(root.pid, 'SIGCONT')
    frozen = false
    bots.push(await serve(room))
    await Promise.all(pressed)
    await waitFor(() => settled(room), 'every claimed proposal has an outcome, and Slack has been told', {
      boundMs: 30_000,
    })
    const outcome = await checkInvariants(server, room, card.ts, root.pid)
    return { killedAt, outcome, presses }
  } finally {
    if (frozen) process.kill(root.pid, 'SIGCONT')
    await Promise.all(bots.map((bot) => bot.kill('SIGKILL')))
    await room.close()
    await server.closeAll()
  }
}

function read<T>(room: Room, sql: string): T[] {
  const database = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  try {
    return database.prepare(sql).all() as T[]
  } finally {
    database.close()
  }
}

const events = (room: Room): JournalEvent[] =>
  read<{ event: string }>(room, 'SELECT event FROM journal ORDER BY seq').map(({ event }) =>
    JSON.parse(event),
  )

const proposals = (room: Room): Proposal[] =>
  read<{ data: string }>(room, 'SELECT data FROM proposals ORDER BY created_at').map(({ data }) =>
    JSON.parse(data),
  )

const settled = (room: Room): boolean =>
  proposals(room).every(({ state }) => state !== 'claimed') &&
  read<{ n: number }>(room, 'SELECT count(*) AS n FROM messages WHERE sent_revision < revision')[0]?.n === 0

/** Counts the signals that went out: the rows of the guarded statement, counted by the server itself. */
async function signals(server: TestServer): Promise<number> {
  const { rows } = await server.admin.query(
    "SELECT coalesce(sum(rows), 0)::int AS n FROM pg_stat_statements WHERE query ~ 'pg_(terminate|cancel)_backend' AND userid = 'marshal'::regrole",
  )
  return rows[0].n
}

async function stepOf(server: TestServer, room: Room): Promise<Step> {
  const kinds = events(room).map(({ kind }) => kind)
  if (kinds.includes('outcome')) return 'after the outcome'
  if ((await signals(server)) > 0) return 'between signal and outcome'
  return kinds.includes('intended') ? 'between claim and signal' : 'before the claim'
}

async function checkInvariants(
  server: TestServer,
  room: Room,
  ts: string,
  pid: number,
): Promise<string | null> {
  const holds = (condition: boolean, what: string) => {
    if (!condition)
      throw new Error(`${what}\n${JSON.stringify(events(room), null, 1)}\n${room.workspace.transcript()}`)
  }
  const happened = events(room)
  const intents = happened.filter(({ kind }) => kind === 'intended')
  const outcomes = happened.filter((event) => event.kind === 'outcome')
  const sent = await signals(server)
  const ends = (await readFile(join(dirname(server.dataDir), 'server.log'), 'utf8'))
    .split('\n')
    .filter(
      (line) =>
        line.includes(`[${pid}]`) && line.includes('terminating connection due to administrator command'),
    )
  holds(sent <= 1, `${sent} signals were sent`)
  holds(ends.length <= sent, 'the server ended a session that no statement of ours signalled')
  holds(sent <= intents.length, 'a signal went out without an intent on disk')
  holds(intents.length <= 1, `${intents.length} intents`)
  holds(outcomes.length === intents.length, `${outcomes.length} outcomes for ${intents.length} intents`)
  for (const { outcome } of outcomes)
    holds(outcome.kind !== 'effective' || sent === 1, 'an effect is claimed for a signal that was never sent')
  const verifier = createVerifier()
  for (const row of read<StoredRow>(
    room,
    'SELECT seq, at, card_id AS cardId, kind, event, previous, hash FROM journal ORDER BY seq',
  ))
    holds(verifier.check(row) === null, `the journal is broken at row ${row.seq}`)
  const card = room.workspace.messages(channel).find((message) => message.ts === ts)
  if (!card) throw new Error('the card is gone')
  holds(!wordsOf(card).includes('sending …'), 'the card hangs')
  const open = proposals(room).some(({ state, action }) => state === 'open' && action === 'terminate')
  holds(hasButton(card, 'approve_terminate') === open, 'the buttons of the card do not fit its proposal')
  return outcomes[0]?.outcome.kind ?? null
}

/** mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
