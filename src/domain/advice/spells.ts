import type { Stretch } from '../history/waiting.ts'
import type { Wait } from '../locks/blocking.ts'
import type { Picture } from '../locks/picture.ts'
import { isClient, isIdleInTransaction, type Session, waitsForLock } from '../session/session.ts'
import type { Scope } from './settings.ts'

/** Kind of time that a setting can end. */
export type SpellKind = 'idleInTransaction' | 'statement' | 'transaction' | 'idle' | 'lockWait'

/** A time that one session spent in one of these ways, without a break. */
export type Spell = {
  readonly kind: SpellKind
  readonly scope: Scope
  readonly applicationName: string
  /** The session, by its pid and start. */
  readonly who: string
  /** For how long it was seen to last. */
  readonly seconds: number
  /** The most sessions that waited behind it meanwhile. */
  readonly victims: number
}

/** Seconds: what is over sooner is nobody's trouble, and no setting is advised for it. */
const least: Readonly<Record<SpellKind, number>> = {
  idleInTransaction: 10,
  statement: 10,
  transaction: 60,
  idle: 600,
  lockWait: 1,
}

/** Bound on what is kept; of more spells the later ones are not counted. */
const most = 50_000

export type Spells = {
  /** Adds what was seen, in order of time. */
  add(stretches: Iterable<Stretch>): void
  all(): Spell[]
}

/** Collects the spells of sessions from looks; each look says for how long they last already. */
export function beginSpells(): Spells {
  const known = new Map<string, Spell>()

  const see = (picture: Picture) => {
    const { sessions } = picture.snapshot
    const victimsOf = new Map(picture.forest.roots.map(({ pid, victims }) => [pid, victims.length]))
    for (const session of sessions) {
      if (!isClient(session) || session.usename === null || session.datname === null) continue
      const scope = { role: session.usename, database: session.datname }
      for (const { kind, since, seconds } of timesOf(session, picture)) {
        if (seconds === null || seconds < least[kind]) continue
        const key = `${kind} ${identityOf(session)} ${since}`
        const before = known.get(key)
        if (!before && known.size >= most) continue
        const behind =
          kind === 'lockWait' ? picture.forest.behind(session.pid).length : (victimsOf.get(session.pid) ?? 0)
        known.set(key, {
          ...{ kind, scope, applicationName: session.applicationName, who: identityOf(session) },
          seconds: Math.max(seconds, before?.seconds ?? 0),
          victims: Math.max(behind, before?.victims ?? 0),
        })
      }
    }
  }

  return {
    add(stretches) {
      for (const { picture } of stretches) if (picture?.snapshot.server.seesOthers) see(picture)
    },
    all: () => [...known.values()],
  }
}

export const identityOf = ({ pid, backendStart }: Pick<Session, 'pid' | 'backendStart'>): string =>
  `${pid} ${backendStart}`

type Time = { readonly kind: SpellKind; readonly since: string | null; readonly seconds: number | null }

function timesOf(session: Session, { forest }: Picture): Time[] {
  const { state, stateChange, stateSeconds, queryStart, querySeconds, xactStart, xactSeconds } = session
  const times: Time[] = []
  if (xactStart !== null) times.push({ kind: 'transaction', since: xactStart, seconds: xactSeconds })
  if (isIdleInTransaction(session))
    times.push({ kind: 'idleInTransaction', since: stateChange, seconds: stateSeconds })
  if (state === 'idle') times.push({ kind: 'idle', since: stateChange, seconds: stateSeconds })
  if (state === 'active') times.push({ kind: 'statement', since: queryStart, seconds: querySeconds })
  const wait = waitsForLock(session) ? forest.waits.get(session.pid) : undefined
  if (wait && isStrong(wait)) times.push({ kind: 'lockWait', since: queryStart, seconds: wait.seconds })
  return times
}

/** Decides whether others queue up behind it. Who waits for a row waits for a transaction: others there want the same row. */
export const isStrong = ({ target, mode }: Wait): boolean =>
  target.locktype === 'relation' && blocksReaders.has(mode)

/** Modes that readers or writers queue up behind: while one of them waits, they wait too. */
const blocksReaders: ReadonlySet<string> = new Set([
  'AccessExclusiveLock',
  'ExclusiveLock',
  'ShareRowExclusiveLock',
  'ShareLock',
])
