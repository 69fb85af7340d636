import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { checkPassFile, checkPasswordFile, isPrivate } from '../../src/terminal/doctorPasswords.ts'
import { clusterConfig } from '../support/asking.ts'
import { closeClusters, logTo, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

/** A password in a file: read at each connect, so that it can change while the bot runs. */

let server: TestServer
let directory: string
beforeAll(async () => {
  server = await startTestServer()
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-passwords-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await closeClusters()
})
afterAll(async () => {
  await server?.stop()
  await rm(directory, { recursive: true, force: true })
})

const bareUrl = () => {
  const url = new URL(server.marshalUrl)
  url.password = ''
  return url
}
const setPassword = (password: string) => server.admin.query(`ALTER ROLE marshal PASSWORD '${password}'`)
const cutOff = () =>
  server.admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'marshal'")

describe.each(['passwordFile', 'PGPASSFILE'])('a password by %s', (kind) => {
  const write = async (password: string) => {
    const { hostname, port } = bareUrl()
    const path = join(directory, kind)
    await writeFile(
      path,
      kind === 'PGPASSFILE' ? `${hostname}:${port}:*:marshal:${password}\n` : `${password}\n`,
    )
    await chmod(path, 0o600)
    return path
  }

  test('is read at each connect, and never logged', async () => {
    await setPassword('first#/word')
    const path = await write('first#/word')
    if (kind === 'PGPASSFILE') vi.stubEnv('PGPASSFILE', path)
    const lines: string[] = []
    const cluster = openCluster({
      url: bareUrl().href,
      ...(kind === 'passwordFile' && { passwordFile: path }),
      log: logTo(lines),
    })
    await cluster.start()
    expect(cluster.failure()).toBeNull()

    await setPassword('second%word')
    await cutOff()
    await waitFor(() => cluster.failure()?.code === '28P01', 'the old password is refused')
    await write('second%word')
    await waitFor(() => cluster.failure() === null, 'the new password lets in')
    expect((await cluster.snapshot()).server.seesOthers).toBe(true)
    expect(lines.join('')).not.toMatch(/first#|second%/)
  })
})

test('a file that is not there, or is empty, is said by its path; it may come later', async () => {
  await setPassword('third')
  const path = join(directory, 'later')
  const cluster = openCluster({ url: bareUrl().href, passwordFile: path })
  await cluster.start()
  expect(cluster.failure()).toMatchObject({
    code: 'BAD_PASSWORD_FILE',
    reason: `passwordFile names ${path}. There is no such file: put it there, or correct the path.`,
  })
  await writeFile(path, '\n')
  await waitFor(
    () => cluster.failure()?.reason === `passwordFile names ${path}, which is empty.`,
    'the empty file is said',
  )
  await writeFile(path, 'third')
  await waitFor(() => cluster.failure() === null, 'it connects')
})

test('doctor advises where others may read it', async () => {
  const path = join(directory, 'open')
  await writeFile(path, 'x')
  await chmod(path, 0o644)
  const [found] = checkPasswordFile(clusterConfig('orders', { passwordFile: path }))
  expect(found).toMatchObject({ what: `others may read the password in ${path}`, needed: false })
  expect(checkPassFile({ PGPASSFILE: path })).toMatchObject([
    { fix: expect.stringContaining('chmod 600'), needed: true },
  ])
  await chmod(path, 0o600)
  expect(checkPasswordFile(clusterConfig('orders', { passwordFile: path }))).toEqual([])
  expect(checkPassFile({ PGPASSFILE: path })).toEqual([])
  expect(checkPasswordFile(clusterConfig('orders'))).toEqual([])
  expect(checkPasswordFile(clusterConfig('orders', { passwordFile: join(directory, 'none') }))).toEqual([])
})

test.each([
  ['600', 1000, true],
  ['400', 0, true],
  ['440', 0, true],
  ['640', 0, true],
  ['440', 1000, false],
  ['460', 0, false],
  ['450', 0, false],
  ['444', 0, false],
  ['442', 0, false],
  ['441', 0, false],
])('a password file of mode 0%s that user %i owns is private: %s', (mode, uid, is) => {
  expect(isPrivate({ mode: 0o100_000 + Number.parseInt(mode, 8), uid })).toBe(is)
})
