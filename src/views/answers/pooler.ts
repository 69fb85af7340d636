import { type Pooler, poolerBefore } from '../../domain/session/pooler.ts'
import type { Session } from '../../domain/session/session.ts'
import type { Snapshot } from '../../domain/session/snapshot.ts'
import { bold, type Line } from '../kit.ts'

/** Warns that a pooler stands before the client, says how to find the client, and what terminate does then. */
export function poolerLines(session: Session, snapshot: Snapshot): Line[] {
  const pooler = poolerBefore(snapshot, session)
  if (pooler === null) return []
  const idle =
    session.state === 'idle'
      ? ' While it is idle it belongs to no client, and may be lent to any at any moment.'
      : ''
  return [
    [
      bold(`A pooler ${pooler.kind === 'crowd' ? 'likely ' : ''}stands between: `),
      clientWords(pooler, session),
      ` Terminate closes the pooler’s connection to the server: a client that uses it now gets an error, and the pooler opens another.${idle}`,
    ],
  ]
}

function clientWords(pooler: Pooler, { pid, clientAddr }: Session): string {
  const address = clientAddr ?? 'the local socket'
  // https://www.pgbouncer.org/usage.html: SHOW SERVERS, SHOW CLIENTS
  const list = `The real client is in the pooler’s own list; in PgBouncer SHOW SERVERS has remote_pid ${pid}, and its link is the ptr of the client in SHOW CLIENTS.`
  switch (pooler.kind) {
    case 'host':
      return `${address} is its address; the client is ${pooler.client}, says the application name.`
    case 'name':
      return `${pooler.pooler} (${pooler.evidence}). ${address} is its address. ${pooler.pooler === 'PgBouncer' ? list.replace('; in PgBouncer', ':') : list}`
    case 'crowd':
      return `${pooler.sessions} sessions of ${pooler.applications} applications and ${pooler.users} users come from ${address}: the address of a pooler, or of a gateway. ${list}`
  }
}
