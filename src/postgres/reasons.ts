import { oldestMajor, sinceWords } from '../domain/session/versions.ts'

/** Meaning of a failure, by its code, and by who in the server raised it when one code has several causes. */
export type Reason = {
  readonly retryable: boolean
  readonly reason: string
  /** No slot of the server is left. */
  readonly isServerFull?: boolean
}

/** The server's names and our UTF-8 do not go together: only where the database in the url has another encoding. */
const unsayable = {
  retryable: false,
  reason:
    'Names on the server cannot be read as UTF-8: let the url lead to a database with the encoding UTF8. It shows all databases.',
}

const badSetting: Reason = {
  retryable: false,
  reason:
    'The server takes a setting not as it is written: check options in the url, and ALTER ROLE … SET for the role of the bot.',
}

const noEncryption: Reason = {
  retryable: false,
  reason:
    'No encrypted connection came about: check sslmode in the url, the versions of TLS that the server allows, and whether it asks for a certificate (sslcert, sslkey).',
}

/**
 * Sentences by code: what is wrong and what to do next. Codes: "PostgreSQL Error Codes" in the manual, and Node's for
 * sockets.
 */
const reasons: Readonly<Record<string, Reason>> = {
  // The server lives, and refuses us.
  '53300': {
    retryable: true,
    reason:
      'A limit of connections is reached: of the server (max_connections), of the role, of the database, or of what stands between.',
  },
  '28P01': {
    retryable: false,
    reason:
      'The login was refused: check user and password in the url, and that the password of the role is set and valid (VALID UNTIL).',
  },
  '28000': {
    retryable: false,
    reason: 'The login was refused: check the user in the url, that the role has LOGIN, and pg_hba.conf.',
  },
  '3D000': { retryable: false, reason: 'There is no such database: check the database in the url.' },
  '57P04': { retryable: false, reason: 'The database in the url was dropped: name another one.' },
  '42501': {
    retryable: false,
    reason: 'The server refused: the role of the bot lacks the privilege (doctor shows the GRANT).',
  },
  '22023': badSetting,
  '57P01': {
    retryable: true,
    reason: 'The server is shutting down, or an administrator ended the connection.',
  },
  '57P02': { retryable: true, reason: 'The server restarts after a crash of one of its processes.' },
  '57P03': {
    retryable: true,
    reason:
      'The server is starting up, recovering or shutting down and takes no connections now; a standby with hot_standby = off never does.',
  },
  '57P05': { retryable: true, reason: 'The server ended the connection because it was idle.' },
  '57014': {
    retryable: true,
    reason:
      'The query was cancelled: it took longer than statement_timeout allows, or somebody cancelled it.',
  },
  '55P03': {
    retryable: true,
    reason: 'A catalog is locked, so the query gave up instead of waiting (lock_timeout).',
  },
  '53200': {
    retryable: true,
    reason:
      'The server is out of memory, or its lock table is full (max_locks_per_transaction): its log says which.',
  },
  '40001': {
    retryable: true,
    reason: 'The standby cancelled the query, because replay could not wait for it any longer.',
  },
  '25P04': { retryable: true, reason: 'The server ended the connection (transaction_timeout).' },
  '53100': {
    retryable: true,
    reason: 'A disk of the server is full: of its data, its WAL or its temporary files; its log says which.',
  },
  '53400': {
    retryable: true,
    reason: 'A limit that the server is configured with is reached, as temp_file_limit: its log says which.',
  },
  '58P01': {
    retryable: true,
    reason: 'A file is missing on the server, of its data or of a library that it loads: its log says which.',
  },
  '08P01': {
    retryable: false,
    reason:
      'What answers there refused the protocol: it is no PostgreSQL, or a pooler that has no such user or database. Let host and port in the url lead to the server itself.',
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
    reason: `The server lacks a role or a setting that is needed (PostgreSQL ${oldestMajor} or newer is required), or knows none that is set by options in the url.`,
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
  ENOENT: noSocket('There is no Unix socket there'),
  EACCES: noSocket('The Unix socket may not be opened'),
  EPROTO: noEncryption,
  // Encryption.
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority(),
  DEPTH_ZERO_SELF_SIGNED_CERT: certificate(
    'is self-signed: name it by sslrootcert in the url, or give the server one of an authority.',
  ),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority(),
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority(),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority(),
  CERT_HAS_EXPIRED: certificate(
    'or that of its authority has expired: renew it there, and look at the clock of the machine of the bot.',
  ),
  CERT_NOT_YET_VALID: certificate(
    'or that of its authority is not valid yet: look at the clocks of both machines.',
  ),
  ERR_TLS_CERT_ALTNAME_INVALID: certificate(
    'is for another host name: write that name in the url, or sslmode=verify-ca with sslrootcert, which does not compare names.',
  ),
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
    reason: 'The server sent more in one answer than any PostgreSQL has to say, so nothing of it counts.',
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

function noSocket(what: string): Reason {
  return { retryable: true, reason: `${what}: check host and port in the url, and whether the server runs.` }
}

function certificate(what: string): { retryable: false; reason: string } {
  return { retryable: false, reason: `The certificate of the server ${what}` }
}

function unknownAuthority(): Reason {
  return certificate(
    'is signed by an authority that is not known here: name the file with the certificate of that authority by sslrootcert in the url.',
  )
}

const full: Reason = {
  retryable: true,
  isServerFull: true,
  reason: `Every connection slot is taken. Free one, raise max_connections, or (${sinceWords('reserved_connections')}) keep enough of them back by reserved_connections for the role of the bot, with pg_use_reserved_connections granted to it.`,
}

const noConnect: Reason = {
  retryable: false,
  reason:
    'The role of the bot may not connect to the database in the url: GRANT CONNECT ON DATABASE to it, or name another database.',
}

const othersSession: Reason = {
  retryable: false,
  reason:
    'The server refused: the session belongs to a superuser, or the role of the bot lacks pg_signal_backend (doctor shows the GRANT).',
}

/**
 * One SQLSTATE, several causes: which one, shows the function that raised it, as it is from 14 to 18. (Message, detail and
 * severity are translated by lc_messages.) For any other function holds what the code says.
 */
const reasonsByRoutine: Readonly<Record<string, Readonly<Record<string, Reason>>>> = {
  '53300': {
    InitProcess: full,
    // Those that are left are kept back.
    InitPostgres: full,
    // The postmaster refuses before there is a process.
    ProcessStartupPacket: full,
    BackendInitialize: full,
    InitializeSessionUserId: {
      retryable: true,
      reason:
        'The role of the bot has as many connections as its CONNECTION LIMIT allows: it needs 2, and 2 more for check and doctor.',
    },
    CheckMyDatabase: {
      retryable: true,
      reason:
        'The database in the url has as many connections as its CONNECTION LIMIT allows: raise it, or name another database.',
    },
  },
  '28000': {
    InitializeSessionUserId: {
      retryable: false,
      reason:
        'The login was refused: there is no such role as the user in the url, or it may not log in (ALTER ROLE … LOGIN).',
    },
    ClientAuthentication: {
      retryable: false,
      reason:
        'pg_hba.conf has no line that lets this user in from here, or one that rejects: add one. A line with hostssl needs sslmode in the url.',
    },
  },
  '42501': {
    CheckMyDatabase: noConnect,
    pg_terminate_backend: othersSession,
    pg_cancel_backend: othersSession,
    // One function, by versions.
    set_config_option: badSetting,
    set_config_option_ext: badSetting,
    set_config_with_handle: badSetting,
  },
  '55000': {
    CheckMyDatabase: {
      retryable: false,
      reason: 'The database in the url takes no connections (ALLOW_CONNECTIONS false): name another one.',
    },
    InitPostgres: {
      retryable: false,
      reason:
        'The database in the url is invalid, because its DROP DATABASE was interrupted: drop it, and name another one.',
    },
  },
}

/** Meanings of whole classes of SQLSTATEs, for codes that are not listed. */
const classes: Readonly<Record<string, Reason>> = {
  '08': {
    retryable: true,
    reason: 'The connection failed: the log of the server, or of a pooler between, says why.',
  },
  '0A': {
    retryable: false,
    reason: 'What answers there does not support what is needed: let the url lead to the server itself.',
  },
  '28': {
    retryable: false,
    reason: 'The login was refused: check user and password in the url, and pg_hba.conf.',
  },
  '53': { retryable: true, reason: 'The server is short of resources.' },
  '57': { retryable: true, reason: 'An operator, or the server itself, intervened.' },
  '58': { retryable: true, reason: 'The server has an error of its operating system.' },
  XX: { retryable: true, reason: 'The server has an internal error: look into its log.' },
}

/** Node's codes for OpenSSL, by how they begin. */
const families: readonly (readonly [string, Reason])[] = [
  ['ERR_SSL_', noEncryption],
  ['CERT_', certificate('was not accepted: the log of the bot has the code of OpenSSL.')],
  [
    'ERR_OSSL_',
    {
      retryable: false,
      reason:
        'A file that sslrootcert, sslcert or sslkey names is no certificate or key in PEM, or they do not belong together.',
    },
  ],
]

export function reasonOf(code: string, routine: string): Reason {
  const byRoutine = reasonsByRoutine[code]
  const own = byRoutine && Object.hasOwn(byRoutine, routine) ? byRoutine[routine] : reasons[code]
  const ofClass = classes[/^[0-9A-Z]{5}$/.test(code) ? code.slice(0, 2) : '']
  const ofFamily = families.find(([start]) => code.startsWith(start))?.[1]
  return own ?? ofClass ?? ofFamily ?? { retryable: true, reason: `The server could not be asked (${code}).` }
}
