import fc from 'fast-check'
import type { PastLook } from '../../src/domain/history/look.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { Locks, Snapshot } from '../../src/domain/session/snapshot.ts'
import { serverTimeOf } from '../../src/domain/text/serverTime.ts'
import { held, relation, session, snapshot, lockTable as table, transaction, wanted } from './builders.ts'

/** A time of the server and the age since, both to the microsecond. */
const timeAt = (base: number, ago: number | null) =>
  ago === null ? { text: null, age: null } : { text: serverTimeOf(base - ago), age: ago / 1e6 }

const micros = fc.integer({ min: 0, max: 10 ** 10 })
const age = fc.option(micros)
const word = fc.constantFrom('a', 'b', 'shop', 'ünï')

type Drawn = {
  readonly pid: number
  readonly start: number
  readonly over: Partial<Session>
  readonly ages: readonly (number | null)[]
  readonly text: string | null
}

const drawnFields = fc.record({
  applicationName: word,
  state: fc.option(fc.constantFrom('active', 'idle', 'idle in transaction')),
  waitEventType: fc.option(fc.constantFrom('Lock', 'Client')),
  waitEvent: fc.option(word),
  usename: fc.option(word),
  datname: fc.option(word),
  isSuperuser: fc.boolean(),
  leaderPid: fc.option(fc.nat(), { nil: null }),
  queryId: fc.option(fc.bigInt(-5n, 5n).map(String)),
  backendXid: fc.option(fc.nat().map(String)),
  clientAddr: fc.option(word),
})

const drawnSession: fc.Arbitrary<Drawn> = fc.record({
  pid: fc.integer({ min: 1, max: 9 }),
  start: fc.integer({ min: 1, max: 3 }),
  over: drawnFields,
  ages: fc.tuple(age, age, age),
  text: fc.option(fc.constantFrom('SELECT ?', 'UPDATE stock SET n = ?', '')),
})

const drawnLook = fc.record({
  after: fc.integer({ min: 1, max: 20_000 }),
  skew: fc.integer({ min: -5_000_000, max: 5_000_000 }),
  sessions: fc.uniqueArray(drawnSession, { selector: ({ pid }) => pid, maxLength: 8 }),
  since: fc.option(fc.integer({ min: 0, max: 9_000 })),
  locks: fc.constantFrom<Locks['kind'] | 'unseen'>('none', 'read', 'jammed', 'unseen'),
})

const tables = [
  table([held(relation('stock'), 'AccessShareLock', 1, 2), wanted(relation('stock'), 'ShareLock', [3, 4.5])]),
  {
    ...table([held(transaction('7'), 'ExclusiveLock', -7), wanted(transaction('7'), 'ShareLock', [3, null])]),
    confirmedBlockers: new Map([[3, [0]]]),
    waitingSince: new Map([[3, 4.25]]),
    unchanged: new Set([4]),
    sharedRows: {
      since: 4,
      rows: [[{ xid: '7', mode: 'sh', pid: -7 }]],
      moved: new Set(['7']),
    },
  },
]

/** Looks one after the other: sessions come and go, also out of order, locks are read or not, at times nothing is seen. */
export const randomLooks = (from: number): fc.Arbitrary<PastLook[]> =>
  fc.array(drawnLook, { maxLength: 12 }).map((drawn) => {
    let takenAt = from
    return drawn.map(({ after, skew, sessions, since, locks }, index): PastLook => {
      takenAt += after
      if (locks === 'unseen') return { takenAt, unseen: 'The connection was lost.' }
      const base = takenAt * 1000 + skew
      const table = tables[index % tables.length] ?? null
      const shown: Snapshot = {
        ...snapshot(sessions.map((one) => sessionOf(one, base, since))),
        cluster: 'orders',
        takenAt,
        texts: new Map(sessions.flatMap(({ pid, text }) => (text === null ? [] : [[pid, text]]))),
        locks:
          locks === 'none' || !table
            ? { kind: 'none' }
            : locks === 'read'
              ? { kind: 'read', table }
              : { kind: 'jammed', why: 'busy', last: index % 3 ? table : null, lastTakenAt: takenAt - 7 },
      }
      return { takenAt, snapshot: shown }
    })
  })

function sessionOf({ pid, start, over, ages }: Drawn, base: number, since: number | null): Session {
  // One and the same start at every look, so that a session stays.
  const began = 1_700_000_000_000_000 + start
  const [xact, query, state] = ages.map((ago) => timeAt(base, ago ?? null))
  return {
    ...session(pid, over),
    backendStart: serverTimeOf(began),
    backendSeconds: (base - began) / 1e6,
    xactStart: xact?.text ?? null,
    xactSeconds: xact?.age ?? null,
    queryStart: query?.text ?? null,
    querySeconds: query?.age ?? null,
    stateChange: state?.text ?? null,
    stateSeconds: state?.age ?? null,
    ...(since === null ? {} : { sameWaitSeconds: since / 1000 }),
  }
}

/**
 * A pool at work, every five seconds.
 * @param busy share of the sessions that have run another statement since the look before
 */
export function looksOf(from: number, count: number, sessions: number, busy: number): PastLook[] {
  let seed = 42
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed / 2 ** 31
  }
  const lastStatement = new Map<number, { at: number; took: number; text: string; active: boolean }>()
  return Array.from({ length: count }, (_, index): PastLook => {
    const takenAt = from + 1 + index * 5_000
    const base = takenAt * 1000 + 123
    const texts = new Map<number, string>()
    const all = Array.from({ length: sessions }, (_, at): Session => {
      const pid = 1000 + at
      if (!lastStatement.has(pid) || random() < busy)
        lastStatement.set(pid, {
          at: base - Math.floor(random() * 5_000_000),
          took: Math.floor(random() * 20_000),
          text: `SELECT * FROM t${Math.floor(random() * 80)} WHERE id = ?`,
          active: random() < 0.1,
        })
      const {
        at: began,
        took,
        text,
        active,
      } = lastStatement.get(pid) ?? { at: 0, took: 0, text: '', active: false }
      texts.set(pid, text)
      const start = 1_700_000_000_000_000 + at * 1_234_567
      const changed = active ? began : began + took
      return {
        ...session(pid),
        applicationName: `web-${at % 10}`,
        state: active ? 'active' : 'idle',
        waitEventType: active ? null : 'Client',
        waitEvent: active ? null : 'ClientRead',
        queryId: String(
          7_000_000_000_000_000_000n + BigInt(text.length * 7919 + Number(text.slice(15, 17).trim())),
        ),
        backendStart: serverTimeOf(start),
        backendSeconds: (base - start) / 1e6,
        xactStart: active ? serverTimeOf(began) : null,
        xactSeconds: active ? (base - began) / 1e6 : null,
        queryStart: serverTimeOf(began),
        querySeconds: (base - began) / 1e6,
        stateChange: serverTimeOf(changed),
        stateSeconds: (base - changed) / 1e6,
      }
    })
    return { takenAt, snapshot: { ...snapshot(all), cluster: 'orders', takenAt, texts } }
  })
}
