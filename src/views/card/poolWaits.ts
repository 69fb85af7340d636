import type { PoolWaits, WaitingPool } from '../../domain/incidents/poolWaits.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import { bold, code, type Line } from '../kit.ts'
import { count, onOneLine } from '../words.ts'

/** Sentences about clients that wait in PgBouncer. */
export const poolWaitsSentence = ({ clients, seconds }: PoolWaits): string =>
  `${count(clients, 'client waits', 'clients wait')} in PgBouncer for a connection to the server, the longest for ${formatDuration(seconds)}.`

/** Says of each pool how many wait, and what its connections do. */
export const poolWaitsWhy = ({ pools, others }: PoolWaits): Line[] => [
  ...pools.map(
    (pool): Line => [
      bold(`${poolName(pool)}: `),
      `${count(pool.waiting, 'client waits', 'clients wait')}, the longest for ${formatDuration(pool.waitSeconds)}; ${connectionsOf(pool)}.`,
    ],
  ),
  ...(others > 0 ? [[`And ${count(others, 'more pool')}.`]] : []),
]

export const poolName = ({ database, user, mode }: WaitingPool): string =>
  `Pool ${onOneLine(database)} of ${onOneLine(user)} (${onOneLine(mode)} mode)`

function connectionsOf({ lent, free, inLogin, waitForLocks, idleInTransaction, busy }: WaitingPool): string {
  const all = lent + free + inLogin
  if (all === 0) return 'it has no connection to the server'
  const doing = [
    ...(waitForLocks > 0 ? [`${waitForLocks} ${waitForLocks === 1 ? 'waits' : 'wait'} for a lock`] : []),
    ...(idleInTransaction > 0
      ? [`${idleInTransaction} ${idleInTransaction === 1 ? 'is' : 'are'} idle in transaction`]
      : []),
    ...(busy > 0 ? [`${busy} ${busy === 1 ? 'runs' : 'run'} a statement`] : []),
    ...(inLogin > 0 ? [`${inLogin} ${inLogin === 1 ? 'logs' : 'log'} in`] : []),
  ]
  return `${count(lent, 'of its connections is lent', 'of its connections are lent')}${doing.length > 0 ? `: ${list(doing)}` : ''}`
}

/** One step for a person to take, by what most connections of the worst pool do. */
export function poolWaitsNext({ pools: [worst] }: PoolWaits): Line {
  if (!worst || worst.lent === 0)
    return [
      'see why PgBouncer has no connection for them: ',
      code('SHOW DATABASES'),
      ' shows whether it is paused, its log whether the login fails.',
    ]
  const { lent, waitForLocks, idleInTransaction } = worst
  if (waitForLocks * 2 >= lent)
    return [code('/pg blocking'), ' shows who stands in the way of its connections.']
  if (idleInTransaction * 2 >= lent)
    return [code('/pg idle'), ' shows whose transactions keep its connections.']
  return [
    code('/pg long'),
    ' shows what takes so long; if nothing does, the pool is too small (default_pool_size).',
  ]
}
