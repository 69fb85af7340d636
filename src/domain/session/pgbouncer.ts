import { type Session, waitsForLock } from './session.ts'

/** Rows of PgBouncer's admin console (https://www.pgbouncer.org/usage.html), and which session serves which client. */

/** Pool of one database and one user, as SHOW POOLS has it. */
export type BouncerPool = {
  /** The name by which clients ask for the database. */
  readonly database: string
  readonly user: string
  /** `session`, `transaction` or `statement`. */
  readonly mode: string
  /** Clients, also those that wait. */
  readonly clients: number
  /** Clients that wait for a connection to the server, and how long the first of them has. */
  readonly waiting: number
  readonly waitSeconds: number
  /** Connections to the server: lent to a client, free, and being made. */
  readonly lent: number
  readonly free: number
  readonly inLogin: number
}

/** Connection to the server, as SHOW SERVERS has it. */
export type BouncerServer = {
  readonly database: string
  readonly user: string
  /** PgBouncer's own end of it: what the server has as client_addr and client_port. `unix` for a Unix socket. */
  readonly localAddr: string
  readonly localPort: number
  /** 0 where it is not known. */
  readonly backendPid: number
  readonly ptr: string
  /** The `ptr` of the client that it is lent to; empty where there is none. */
  readonly link: string
}

/** Connection of a client, as SHOW CLIENTS has it. */
export type BouncerClient = {
  readonly user: string
  readonly addr: string
  readonly port: number
  /** Process of a client that came by a Unix socket; 0 where it is not known. */
  readonly pid: number
  /** Empty where the client gave none, and before 1.18. */
  readonly applicationName: string
  readonly ptr: string
  readonly link: string
}

/** Session behind a pooler. `link`: the client that it serves now; null where it serves none, or nobody can know. */
export type BouncerLink = {
  readonly session: Session
  readonly server: BouncerServer
  readonly mode: string | null
  readonly link: string | null
}

/** The console's own database, whose pool is of no server. */
const consoleDatabase = 'pgbouncer'

export const isConsole = ({ database }: BouncerPool): boolean => database === consoleDatabase

/**
 * Finds the sessions that are connections of a pooler. In transaction mode a connection goes from client to client within
 * milliseconds, so a client counts only where nothing can have changed since the console was read: the transaction of the
 * session, or its state, has gone on for longer. An idle connection is lent to nobody, but in session mode.
 * @param portOf the client_port of a session
 * @param elapsedSeconds since right before the console was asked, until the sessions were read
 */
export function linksOf(
  { pools, servers }: { readonly pools: readonly BouncerPool[]; readonly servers: readonly BouncerServer[] },
  sessions: readonly Session[],
  portOf: (pid: number) => number | null,
  elapsedSeconds: number,
): BouncerLink[] {
  const byEnd = new Map(servers.map((server) => [endOf(server), server]))
  const modes = new Map(pools.map(({ database, user, mode }) => [JSON.stringify([database, user]), mode]))
  return sessions.flatMap((session) => {
    const { pid, clientAddr, usename, backendSeconds, xactSeconds, stateSeconds, state } = session
    const server = byEnd.get(clientAddr === null ? `${pid}` : `${clientAddr}:${portOf(pid)}`)
    // Another connection may have had this port before, and another server the same pid.
    if (server === undefined || backendSeconds < elapsedSeconds) return []
    if (![0, pid].includes(server.backendPid) || (isLocal(server) && server.user !== usename)) return []
    const mode = modes.get(JSON.stringify([server.database, server.user])) ?? null
    const isSame = Math.max(xactSeconds ?? 0, stateSeconds ?? 0) >= elapsedSeconds
    const isLent = server.link !== '' && (state !== 'idle' || mode === 'session')
    return [{ session, server, mode, link: isSame && isLent ? server.link : null }]
  })
}

const isLocal = ({ localAddr }: BouncerServer): boolean => localAddr === 'unix'

const endOf = (server: BouncerServer): string =>
  isLocal(server) ? `${server.backendPid}` : `${server.localAddr}:${server.localPort}`

/** Seconds. Whose transaction is younger, hardly anybody asks about. */
const youngSeconds = 1
/** Clients whose names cost next to nothing: about 1 ms for all of them. */
const fewClients = 200

/**
 * Decides whether to ask who the clients of these are. All are told at once, which may be thousands: so where there are many,
 * only when one that is served waits, or has done the same for a while.
 */
export const areOfInterest = (links: readonly BouncerLink[], pools: readonly BouncerPool[]): boolean => {
  const isFew = clientsIn(pools) <= fewClients
  return links.some(
    ({ link, session }) =>
      link !== null &&
      (isFew ||
        waitsForLock(session) ||
        Math.max(session.xactSeconds ?? 0, session.stateSeconds ?? 0) >= youngSeconds),
  )
}

export const clientsIn = (pools: readonly BouncerPool[]): number =>
  pools.reduce((all, { clients }) => all + clients, 0)

/** Adds to the sessions which pool they serve, and which client. */
export function withPooler(
  sessions: readonly Session[],
  links: readonly BouncerLink[],
  clients: readonly BouncerClient[],
): Session[] {
  const byPtr = new Map(clients.map((client) => [client.ptr, client]))
  const byPid = new Map(links.map((one) => [one.session.pid, one]))
  return sessions.map((session) => {
    const found = byPid.get(session.pid)
    if (!found) return session
    const { server, mode, link } = found
    const client = link === null ? undefined : byPtr.get(link)
    const isItsOwn = client?.link === server.ptr
    return {
      ...session,
      pooler: {
        database: server.database,
        user: server.user,
        mode,
        client: client && isItsOwn ? clientFrom(client) : null,
      },
    }
  })
}

const clientFrom = ({ addr, port, pid, user, applicationName }: BouncerClient) => ({
  address:
    addr === 'unix'
      ? `unix${pid > 0 ? ` (pid ${pid})` : ''}`
      : addr.includes(':')
        ? `[${addr}]:${port}`
        : `${addr}:${port}`,
  user,
  applicationName,
})
