import { isClient, type PoolerConnection, type Session } from './session.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * Reason to think that a pooler (or another proxy) stands between a session and its client. `console`: the admin console of
 * PgBouncer shows it. `name`: its application name or user says so. `host`: its application name carries the client's own address, which a pooler adds. `crowd`:
 * too many different applications and users come from its one address for one machine.
 */
export type Pooler =
  | { readonly kind: 'console'; readonly connection: PoolerConnection }
  | { readonly kind: 'name'; readonly pooler: string; readonly evidence: string }
  | { readonly kind: 'host'; readonly client: string }
  | {
      readonly kind: 'crowd'
      readonly address: string
      readonly sessions: number
      readonly applications: number
      readonly users: number
    }

/** Names that poolers give themselves in application_name, when the client gave no name of its own. */
const byApplication: readonly [RegExp, string][] = [
  [/^pgbouncer\b/i, 'PgBouncer'],
  [/^pgcat\b/i, 'PgCat'],
  [/^odyssey\b/i, 'Odyssey'],
  [/^supavisor\b/i, 'Supavisor'],
  [/^pgpool\b/i, 'Pgpool-II'],
]

/**
 * Users that RDS Proxy and the pooling of Cloud SQL log in as beside their clients: from such an address no client
 * comes.
 */
const byUser: Readonly<Record<string, string>> = {
  rdsproxyadmin: 'RDS Proxy',
  cloudsqlconnpooladmin: 'the connection pooling of Cloud SQL',
}

/** `web - 10.0.0.7:51234`: application_name_add_host in PgBouncer (set_appname in client.c) and in Odyssey. */
const withHost = /.+ - ((?:\d{1,3}\.){3}\d{1,3}:\d+|\[[\da-f:.]+\]:\d+|unix(?:\(\d+\))?:\d+)$/i

/** One machine may run several programs as one user, and several as two; it seldom is at home to all of these. */
const crowd = { sessions: 10, applications: 3, users: 3 }

/**
 * Null where nothing speaks for a pooler: many sessions of one application from one host are ordinary, and a local socket
 * says nothing. A gateway that hides addresses (NAT) looks like a crowd, too; the client's address is unknown then as well.
 */
export function poolerBefore(snapshot: Snapshot, session: Session): Pooler | null {
  if (!isClient(session)) return null
  const { applicationName, clientAddr, pooler: connection } = session
  if (connection) return { kind: 'console', connection }
  const client = withHost.exec(applicationName)?.[1]
  if (client) return { kind: 'host', client }
  const named = byApplication.find(([pattern]) => pattern.test(applicationName))
  if (named) return { kind: 'name', pooler: named[1], evidence: `application name ${applicationName}` }
  if (clientAddr === null) return null
  const neighbours = snapshot.sessions.filter((one) => isClient(one) && one.clientAddr === clientAddr)
  for (const { usename } of neighbours) {
    const pooler = usename === null ? undefined : byUser[usename]
    if (pooler) return { kind: 'name', pooler, evidence: `${usename} comes from ${clientAddr}, too` }
  }
  const applications = new Set(neighbours.map((one) => one.applicationName)).size
  const users = new Set(neighbours.map(({ usename }) => usename)).size
  const isCrowd =
    neighbours.length >= crowd.sessions && applications >= crowd.applications && users >= crowd.users
  return isCrowd
    ? { kind: 'crowd', address: clientAddr, sessions: neighbours.length, applications, users }
    : null
}
