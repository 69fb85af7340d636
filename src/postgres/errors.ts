import { oldestMajor, sinceWords } from '../domain/session/versions.ts'

/** Why a cluster could not be asked. `reason` is one sentence for people, told from the SQLSTATE. */
export class ClusterError extends Error {
  readonly reason: string
  /** SQLSTATE, or the code of the socket error, or `DEADLINE`. */
  readonly code: string
  readonly retryable: boolean
  /** The connection has ended, for which there may be many reasons: the attempt to make another one tells more. */
  readonly isInterruption: boolean
  constructor(reason: string, code: string, retryable: boolean, cause?: unknown) {
    super(reason, { cause })
    this.name = 'ClusterError'
    this.reason = reason
    this.code = code
    this.retryable = retryable
    this.isInterruption = interruptions.has(code)
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

/** The server's names and our UTF-8 do not go together: only where the database in the url has another encoding. */
const unsayable = {
  retryable: false,
  reason:
    'Names on the server cannot be told in UTF-8: let the url lead to a database with the encoding UTF8, it tells of all databases.',
}

/** What is wrong and what to do next, by code. Codes: "PostgreSQL Error Codes" in the manual, and Node's for sockets. */
const reasons: Readonly<Record<string, { readonly retryable: boolean; readonly reason: string }>> = {
  // The server lives, and refuses us.
  '53300': {
    retryable: true,
    reason: `Every connection slot is taken. Free one, raise max_connections, or (${sinceWords('reserved_connections')}) keep enough of them back by reserved_connections for the role of the bot, with pg_use_reserved_connections granted to it.`,
  },
  '28P01': { retryable: false, reason: 'The login was refused: check the password in the url.' },
  '28000': {
    retryable: false,
    reason: 'The login was refused: check the user in the url, that the role has LOGIN, and pg_hba.conf.',
  },
  '3D000': { retryable: false, reason: 'There is no such database: check the database in the url.' },
  '42501': {
    retryable: false,
    reason:
      'The server refused: the role of the bot lacks the privilege (doctor tells the GRANT), or the session belongs to a superuser.',
  },
  '57P01': {
    retryable: true,
    reason: 'The server is shutting down, or an administrator ended the connection.',
  },
  '57P02': { retryable: true, reason: 'The server restarts after a crash of one of its processes.' },
  '57P03': {
    retryable: true,
    reason: 'The server is starting up or shutting down and takes no connections yet.',
  },
  '57P05': { retryable: true, reason: 'The server ended the connection because it was idle.' },
  '57014': {
    retryable: true,
    reason: 'The server took longer than statement_timeout allows, so the query was cancelled.',
  },
  '55P03': {
    retryable: true,
    reason: 'A catalog is locked, so the query gave up instead of waiting (lock_timeout).',
  },
  '53200': { retryable: true, reason: 'The server is out of memory.' },
  '53100': { retryable: true, reason: 'The disk of the server is full.' },
  '08P01': {
    retryable: false,
    reason: 'What answers there does not speak the PostgreSQL protocol: check host and port in the url.',
  },
  '22P05': unsayable,
  '22021': unsayable,
  '42883': {
    retryable: false,
    reason: `The server lacks a function that is needed: PostgreSQL ${oldestMajor} or newer is required.`,
  },
  '42703': {
    retryable: false,
    reason: `The server lacks a column that is needed: PostgreSQL ${oldestMajor} or newer is required.`,
  },
  '42704': {
    retryable: false,
    reason: `The server lacks a role or a setting that is needed: PostgreSQL ${oldestMajor} or newer is required.`,
  },
  // Nobody answers.
  ECONNREFUSED: {
    retryable: true,
    reason: 'Nothing listens there: check host and port in the url, and whether the server runs.',
  },
  ENOTFOUND: {
    retryable: true,
    reason: 'The host name is not known: check the host in the url and the DNS.',
  },
  EAI_AGAIN: { retryable: true, reason: 'The host name could not be looked up just now: check the DNS.' },
  ETIMEDOUT: { retryable: true, reason: 'No answer: check network, firewall and host in the url.' },
  EHOSTUNREACH: { retryable: true, reason: 'There is no route to the host: check the network.' },
  ENETUNREACH: {
    retryable: true,
    reason: 'There is no route to the network of the host: check the network.',
  },
  ECONNRESET: {
    retryable: true,
    reason: 'The connection was cut: the server crashed or restarted, or something between cut it.',
  },
  EPIPE: {
    retryable: true,
    reason: 'The connection was cut: the server crashed or restarted, or something between cut it.',
  },
  // Encryption.
  SELF_SIGNED_CERT_IN_CHAIN: certificate('is signed by an authority that is not known here'),
  DEPTH_ZERO_SELF_SIGNED_CERT: certificate('is self-signed'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: certificate('is signed by an authority that is not known here'),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: certificate('is signed by an authority that is not known here'),
  CERT_HAS_EXPIRED: certificate('has expired'),
  ERR_TLS_CERT_ALTNAME_INVALID: certificate('is for another host name'),
  NO_TLS: {
    retryable: false,
    reason:
      'The server takes no encrypted connections (ssl = off), and the url asks for one: turn ssl on there, or write sslmode=disable.',
  },
  // What the edge of the driver does not let through (wire.ts).
  BAD_MESSAGE: {
    retryable: true,
    reason:
      'What answers there sent something that is no message of PostgreSQL, so the connection was ended: check host and port in the url, and what stands between.',
  },
  BAD_ANSWER: {
    retryable: true,
    reason:
      'What the server answered cannot be used: check that the url has a password, and that host and port lead to a PostgreSQL server.',
  },
  TOO_LARGE: {
    retryable: true,
    reason: 'The server sent more than 32 MB for one answer, so the connection was ended.',
  },
  LOGIN_UNKNOWN: {
    retryable: false,
    reason:
      'The server asks for a login by GSSAPI, SSPI or another method that is not supported: let a line for the role in pg_hba.conf say scram-sha-256 or cert.',
  },
  LOGIN_NOT_ALLOWED: {
    retryable: false,
    reason:
      'The server asks for the password in a way that would give it away (password or md5), or for none where require_auth wants one; nothing was sent. Let pg_hba.conf say scram-sha-256 and set the password again, or write sslmode=verify-full; else allow it by require_auth=md5 (or password) in the url.',
  },
  // Our own.
  DEADLINE: {
    retryable: true,
    reason: 'No answer in time: the server hangs, is overloaded, or the network lost the connection.',
  },
  CONNECTION_LOST: {
    retryable: true,
    reason: 'The connection was closed by the server or by something between.',
  },
  CONNECTING: { retryable: true, reason: 'The connection is still being made.' },
  CLOSED: { retryable: false, reason: 'The bot is shutting down.' },
  ERR_INVALID_URL: {
    retryable: false,
    reason: 'The url is no connection string like postgres://user:password@host:5432/database.',
  },
}

function certificate(what: string): { retryable: false; reason: string } {
  return {
    retryable: false,
    reason: `The certificate of the server ${what}: set sslrootcert and sslmode in the url.`,
  }
}

/** What a whole class of SQLSTATEs means, where the code itself is not listed. */
const classes: Readonly<Record<string, { readonly retryable: boolean; readonly reason: string }>> = {
  '08': { retryable: true, reason: 'The connection failed.' },
  '28': {
    retryable: false,
    reason: 'The login was refused: check user and password in the url, and pg_hba.conf.',
  },
  '53': { retryable: true, reason: 'The server is short of resources.' },
  '57': { retryable: true, reason: 'An operator, or the server itself, intervened.' },
  '58': { retryable: true, reason: 'The server has an error of its operating system.' },
  XX: { retryable: true, reason: 'The server has an internal error: look into its log.' },
}

/**
 * The failure behind whatever was thrown. Decided by the code alone. Message and detail are left behind, and so is the
 * cause: they may quote a statement's values, or the url with its password.
 */
export function clusterErrorOf(error: unknown): ClusterError {
  if (error instanceof ClusterError) return error
  const code = codeOf(error)
  const { reason, retryable } = reasons[code] ??
    classes[/^[0-9A-Z]{5}$/.test(code) ? code.slice(0, 2) : ''] ?? {
      reason: `The server could not be asked (${code}).`,
      retryable: true,
    }
  return new ClusterError(reason, code, retryable)
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

/** What could not be read, and why. */
export type Unreadable = { readonly unread: string }

export const unreadable = ({ reason }: ClusterError): Unreadable => ({ unread: reason })

export const clusterErrorWith = (code: string): ClusterError => clusterErrorOf({ code })

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  // node-postgres has no code for a connection that ended under a query.
  return typeof code === 'string' && /^\w{1,60}$/.test(code) ? code : 'CONNECTION_LOST'
}
