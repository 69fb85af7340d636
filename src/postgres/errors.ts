import { reasonOf } from './reasons.ts'

/**
 * Error of a cluster that could not be asked. `reason` is one sentence for people, made from the SQLSTATE and who
 * raised it.
 */
export class ClusterError extends Error {
  readonly reason: string
  /** SQLSTATE, or the code of the socket error, or `DEADLINE`. */
  readonly code: string
  readonly retryable: boolean
  /** The connection has ended, for which there may be many reasons: the attempt to make another one shows more. */
  readonly isInterruption: boolean
  /** No slot of the server is left; a limit of the role or of the database has the same code. */
  readonly isServerFull: boolean
  constructor(reason: string, code: string, retryable: boolean, isServerFull = false) {
    super(reason)
    this.name = 'ClusterError'
    this.reason = reason
    this.code = code
    this.retryable = retryable
    this.isInterruption = interruptions.has(code)
    this.isServerFull = isServerFull
  }
}

const interruptions = new Set([
  '57P01',
  '57P02',
  '57P05',
  'CONNECTION_LOST',
  'CONNECTING',
  'ECONNRESET',
  'EPIPE',
])

/**
 * The failure behind whatever was thrown. Decided by the code, and by the routine of the server that raised it. Message
 * and detail are left behind: they may quote a statement's values, or the url with its password.
 */
export function clusterErrorOf(error: unknown): ClusterError {
  if (error instanceof ClusterError) return error
  const code = codeOf(error)
  const { reason, retryable, isServerFull } = reasonOf(code, textAt(error, 'routine'))
  return new ClusterError(reason, code, retryable, isServerFull)
}

/** Runs something; where the cluster fails it, `otherwise` takes its place. Every other error is thrown on. */
export async function attempt<T, U>(
  run: () => Promise<T>,
  otherwise: (failure: ClusterError) => U,
): Promise<T | U> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ClusterError) return otherwise(error)
    throw error
  }
}

/** Reason why something could not be read. */
export type Unreadable = { readonly unread: string }

export const unreadable = ({ reason }: ClusterError): Unreadable => ({ unread: reason })

export const clusterErrorWith = (code: string): ClusterError => clusterErrorOf({ code })

function codeOf(error: unknown): string {
  const code = textAt(error, 'code')
  // node-postgres has no code for a connection that ended under a query.
  return /^\w{1,60}$/.test(code) ? code : 'CONNECTION_LOST'
}

function textAt(error: unknown, name: 'code' | 'routine'): string {
  const value = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined
  return typeof value === 'string' ? value : ''
}
