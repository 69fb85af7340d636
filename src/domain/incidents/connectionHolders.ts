import { isLoggingIn } from '../session/loggingIn.ts'
import type { Session } from '../session/session.ts'

/** Group that holds connections; a list has the largest first. */
export type Holder = Pick<HolderNames, 'usename' | 'applicationName' | 'clientAddr'> & {
  readonly count: number
  /** Absent where an older version stored it, as `idle` is. */
  readonly datname?: string
  /** Number of them that are idle outside a transaction. */
  readonly idle?: number
}

/** Names that tell one holder of connections from another. */
export type HolderNames = {
  readonly usename: string
  readonly applicationName: string
  readonly clientAddr: string
  readonly datname: string
}

/** Groups clients by their names: the five largest groups, the largest first. */
export const holdersOf = (clients: readonly Session[]): Holder[] =>
  [...Map.groupBy(clients, (session) => JSON.stringify(holderNamesOf(session))).values()]
    .flatMap((all) => {
      const [first] = all
      const idle = all.filter(({ state }) => state === 'idle').length
      return first ? [{ ...holderNamesOf(first), idle, count: all.length }] : []
    })
    .sort((a, b) => b.count - a.count)
    .slice(0, 5)

function holderNamesOf(session: Session): HolderNames {
  const { usename, applicationName, clientAddr, datname } = session
  return {
    usename: usename ?? '',
    applicationName,
    // From wherever they come: of those that log in more is not known.
    clientAddr: isLoggingIn(session) ? '' : (clientAddr ?? 'local'),
    datname: datname ?? '',
  }
}

/** Decides whether a session is one of exactly this holder. */
export function isOfHolder(session: Session, holder: HolderNames): boolean {
  const { usename, applicationName, clientAddr, datname } = holderNamesOf(session)
  return (
    usename === holder.usename &&
    applicationName === holder.applicationName &&
    clientAddr === holder.clientAddr &&
    datname === holder.datname
  )
}
