import { readFileSync } from 'node:fs'
import pg from 'pg'
import { type CertificateSetting, type DatabaseUrl, readDatabaseUrl } from '../domain/text/databaseUrl.ts'
import { ClusterError, clusterErrorWith } from './errors.ts'
import { guardClient } from './wire.ts'

type ClientOptions = {
  readonly url: string
  /** A file that holds the password. */
  readonly passwordFile?: string | null
  readonly applicationName: string
  /** Milliseconds to connect, and for the answer to one statement; if absent, whoever asks keeps the time. */
  readonly deadlines?: { readonly connectMs: number; readonly answerMs: number }
}

/** A client of the driver that is not connected yet, with its edge guarded. Throws ClusterError. */
export function createClient({ url, passwordFile, applicationName, deadlines }: ClientOptions): pg.Client {
  const read = readDatabaseUrl(url)
  if ('problem' in read) throw new ClusterError(read.problem, 'ERR_INVALID_URL', false)
  const ssl = tlsOf(read)
  const client = new pg.Client({
    connectionString: read.bare,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    fallback_application_name: applicationName,
    ...(ssl === undefined ? {} : { ssl }),
    ...(deadlines && {
      connectionTimeoutMillis: deadlines.connectMs,
      query_timeout: deadlines.answerMs,
    }),
  })
  // Each connect makes a client, so a new password counts from then on.
  if (passwordFile) client.password = readPassword(passwordFile)
  guardClient(client, read.loginMethods)
  return client
}

/**
 * Returns the driver's settings for encryption; undefined: what PGSSLMODE says. As with the driver, every mode that
 * encrypts checks the certificate with the name of the host. Two modes exist to skip that: no-verify, and verify-ca
 * with an authority of one's own. (With the public ones anybody has a certificate.)
 */
function tlsOf({ sslMode, files }: DatabaseUrl): pg.ClientConfig['ssl'] {
  if (sslMode === 'disable') return false
  if (sslMode === null && Object.keys(files).length === 0) return undefined
  const file = (setting: CertificateSetting, name: string) =>
    files[setting] === undefined ? {} : { [name]: readCertificate(setting, files[setting]) }
  return {
    ...file('sslrootcert', 'ca'),
    ...file('sslcert', 'cert'),
    ...file('sslkey', 'key'),
    ...(sslMode === 'no-verify' ? { rejectUnauthorized: false } : {}),
    ...(sslMode === 'verify-ca' && files.sslrootcert ? { checkServerIdentity: () => undefined } : {}),
  }
}

function readCertificate(setting: CertificateSetting, path: string): string {
  return readSecretFile(path, `${setting} in the url`, 'BAD_CERTIFICATE_FILE')
}

/** The last newline is the editor's. */
function readPassword(path: string): string {
  const password = readSecretFile(path, 'passwordFile', 'BAD_PASSWORD_FILE').replace(/\r?\n$/, '')
  if (password !== '') return password
  throw new ClusterError(`passwordFile names ${path}, which is empty.`, 'BAD_PASSWORD_FILE', false)
}

function readSecretFile(path: string, setting: string, badFile: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    const what =
      code === 'ENOENT'
        ? 'There is no such file: put it there, or correct the path.'
        : `It cannot be read (${code}): check its permissions.`
    throw new ClusterError(`${setting} names ${path}. ${what}`, badFile, false)
  }
}

/** Explains why the driver gave up. The driver's own errors have no code; the state of the socket says which it is. */
export function failureOf(error: unknown, client: pg.Client): unknown {
  if (error instanceof Error && 'code' in error && error.code !== undefined) return error
  const { stream } = client.connection
  if (stream.destroyed) return error
  // It has said goodbye before any login, as it does where its request for encryption is refused.
  return clusterErrorWith(stream.writableEnded ? 'NO_TLS' : 'BAD_ANSWER')
}
