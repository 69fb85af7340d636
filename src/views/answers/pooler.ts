import { type Pooler, poolerBefore } from '../../domain/session/pooler.ts'
import type { PoolerConnection, Session } from '../../domain/session/session.ts'
import type { Snapshot } from '../../domain/session/snapshot.ts'
import { bold, type Line } from '../kit.ts'
import { onOneLine } from '../words.ts'

/** Warns that a pooler stands before the client, says who or where the client is, and what terminate does then. */
export function poolerLines(session: Session, snapshot: Snapshot): Line[] {
  const pooler = poolerBefore(snapshot, session)
  return [
    ...(pooler ? [poolerLine(pooler, session)] : []),
    ...(snapshot.pooler && 'unread' in snapshot.pooler ? [unreadLine(snapshot.pooler.unread)] : []),
  ]
}

function poolerLine(pooler: Pooler, session: Session): Line {
  const isLent = pooler.kind === 'console' && pooler.connection.client !== null
  const idle =
    session.state === 'idle' && !isLent
      ? ' While it is idle it belongs to no client, and may be lent to any at any moment.'
      : ''
  return [
    bold(`A pooler ${pooler.kind === 'crowd' ? 'likely ' : ''}stands between: `),
    clientWords(pooler, session),
    ` Terminate closes the pooler’s connection to the server: a client that uses it now loses its own too, and the pooler opens another.${idle}`,
  ]
}

/** Says why the admin console of PgBouncer shows nothing. */
export const unreadLine = (why: string): Line => [
  bold('PgBouncer’s admin console cannot be read: '),
  `who the clients are, and whether any wait, is not known. ${why}`,
]

function clientWords(pooler: Pooler, { pid, clientAddr }: Session): string {
  const address = clientAddr ?? 'the local socket'
  // https://www.pgbouncer.org/usage.html: SHOW SERVERS, SHOW CLIENTS
  const list = `The real client is in the pooler’s own list; in PgBouncer SHOW SERVERS has remote_pid ${pid}, and its link is the ptr of the client in SHOW CLIENTS.`
  switch (pooler.kind) {
    case 'console':
      return consoleWords(pooler.connection)
    case 'host':
      return `${address} is its address; the client is ${pooler.client}, says the application name.`
    case 'name':
      return `${pooler.pooler} (${pooler.evidence}). ${address} is its address. ${pooler.pooler === 'PgBouncer' ? list.replace('; in PgBouncer', ':') : list}`
    case 'crowd':
      return `${pooler.sessions} sessions of ${pooler.applications} applications and ${pooler.users} users come from ${address}: the address of a pooler, or of a gateway. ${list}`
  }
}

function consoleWords({ database, user, mode, client }: PoolerConnection): string {
  const pool = `PgBouncer, pool ${onOneLine(database)} of ${onOneLine(user)}${mode === null ? '' : ` in ${mode} mode`}`
  if (client === null) return `${pool}. Which client it serves now is not known, if any.`
  const application = onOneLine(client.applicationName)
  return `${pool}. The client is ${client.address}${application === '' ? '' : ` (${application})`}, logged in as ${onOneLine(client.user)}, says its admin console.`
}
