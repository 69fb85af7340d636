import { execFile } from 'node:child_process'
import { chmod, chown, copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, failureOf } from '../../src/postgres/client.ts'
import { clusterErrorOf } from '../../src/postgres/errors.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

/** Certificates made by openssl, and a server that shows them: who is believed, and what is said of who is not. */

const run = promisify(execFile)
const hasOpenssl = await run('openssl', ['version']).then(
  () => true,
  () => false,
)

describe.skipIf(!hasOpenssl)('certificates of a server', () => {
  let server: TestServer
  let made: string
  const at = (name: string) => join(made, name)

  const openssl = (...args: string[]) => run('openssl', args, { cwd: made })
  const key = (name: string) => [
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`],
    ...['-subj', `/CN=${name}`],
  ]
  const authority = (name: string) => openssl('req', '-x509', ...key(name), '-out', `${name}.pem`)
  const certificate = async (name: string, names: string, days: string) => {
    await openssl('req', ...key(name), '-out', `${name}.csr`)
    await writeFile(at(`${name}.ext`), `subjectAltName=${names}`)
    await openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ours.pem', '-CAkey', 'ours.key', '-CAcreateserial'],
      ...['-out', `${name}.crt`, '-days', days, '-extfile', `${name}.ext`],
    )
  }

  /** What comes of a connection: whether it is encrypted, or the code and the words of its failure. */
  const outcome = async (host: string, query: string): Promise<boolean | string> => {
    const url = new URL(server.marshalUrl)
    url.hostname = host
    url.search = query
    const client = createClient({ url: url.href, applicationName: 'test' })
    client.on('error', () => {})
    try {
      await client.connect()
      const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
      return rows[0].ssl
    } catch (error) {
      const { code, reason } = clusterErrorOf(failureOf(error, client))
      return `${code} ${reason}`
    } finally {
      await client.end().catch(() => {})
    }
  }

  /** Lets the server show a certificate; it is read when the settings are, which a new connection tells. */
  const show = async (name: string) => {
    const { rows } = await server.admin.query("SELECT current_setting('data_directory') AS dir")
    const { uid, gid } = await stat(rows[0].dir)
    for (const kind of ['crt', 'key']) {
      const file = join(rows[0].dir, `${name}.${kind}`)
      await copyFile(at(`${name}.${kind}`), file)
      await chown(file, uid, gid)
      await chmod(file, 0o600)
    }
    await server.admin.query(`ALTER SYSTEM SET ssl_cert_file = '${name}.crt'`)
    await server.admin.query(`ALTER SYSTEM SET ssl_key_file = '${name}.key'`)
    await server.admin.query('ALTER SYSTEM SET ssl = on')
    await server.admin.query('SELECT pg_reload_conf()')
    const shown = async () => {
      const session = await server.open('reload')
      const current = await session.query("SELECT current_setting('ssl_cert_file') AS file")
      await session.close()
      return current.rows[0].file === `${name}.crt`
    }
    await waitFor(shown, `the server shows ${name}`)
  }

  beforeAll(async () => {
    made = await mkdtemp(join(tmpdir(), 'pg-marshal-tls-'))
    for (const name of ['ours', 'others']) await authority(name)
    await certificate('named', 'DNS:localhost', '2')
    await certificate('numbered', 'IP:127.0.0.1', '2')
    await certificate('expired', 'DNS:localhost,IP:127.0.0.1', '-1')
    server = await startTestServer()
  })
  afterAll(async () => {
    await server?.stop()
    await rm(made, { recursive: true, force: true })
  })

  test('are asked for: nothing goes in clear where encryption is wanted', async () => {
    for (const mode of ['allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'])
      expect(await outcome('127.0.0.1', `sslmode=${mode}`)).toMatch(/^NO_TLS /)
  })

  test.each([
    ['named', 'localhost', '127.0.0.1'],
    ['numbered', '127.0.0.1', 'localhost'],
  ])('%s: the host is compared, but by verify-ca', async (name, host, other) => {
    await show(name)
    const root = `sslrootcert=${at('ours.pem')}`
    for (const mode of ['prefer', 'require', 'verify-full']) {
      expect(await outcome(host, `sslmode=${mode}&${root}`)).toBe(true)
      expect(await outcome(other, `sslmode=${mode}&${root}`)).toMatch(
        /^ERR_TLS_CERT_ALTNAME_INVALID .*another host name: write that name/,
      )
    }
    expect(await outcome(other, root)).toMatch(/^ERR_TLS_CERT_ALTNAME_INVALID /)
    expect(await outcome(other, `sslmode=verify-ca&${root}`)).toBe(true)
    expect(await outcome(other, 'sslmode=no-verify')).toBe(true)
  })

  test('of an authority that is not known are refused, also by verify-ca', async () => {
    await show('named')
    for (const query of ['sslmode=require', 'sslmode=verify-ca', `sslrootcert=${at('others.pem')}`])
      expect(await outcome('localhost', query)).toMatch(
        /^UNABLE_TO_VERIFY_LEAF_SIGNATURE .*authority that is not known here: name the file/,
      )
    const others = `sslmode=verify-ca&sslrootcert=${at('others.pem')}`
    expect(await outcome('localhost', others)).toMatch(/^UNABLE_TO_VERIFY_LEAF_SIGNATURE /)
  })

  test('that have expired are refused, also by verify-ca', async () => {
    await show('expired')
    for (const mode of ['require', 'verify-ca', 'verify-full'])
      expect(await outcome('localhost', `sslmode=${mode}&sslrootcert=${at('ours.pem')}`)).toMatch(
        /^CERT_HAS_EXPIRED .*has expired: renew it there/,
      )
    expect(await outcome('localhost', 'sslmode=no-verify')).toBe(true)
  })
})
