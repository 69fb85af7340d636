import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ClusterConfig, Config } from '../../src/config/config.ts'
import { checkStore } from '../../src/terminal/doctorStore.ts'
import { clusterConfig } from '../support/asking.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { emptyStoreOn } from '../support/store.ts'

let server: TestServer
let directory: string
beforeAll(async () => {
  server = await startTestServer()
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-doctor-'))
})
afterAll(async () => {
  await server?.stop()
  await rm(directory, { recursive: true, force: true })
})

const check = async (clusters: readonly ClusterConfig[]) =>
  checkStore({ store: await emptyStoreOn(server), clusters } as Config, {})

it('warns of a store on a watched server, also where the password of that one is in a file', async () => {
  const bare = new URL(server.marshalUrl)
  const { password } = bare
  bare.password = ''
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, `${decodeURIComponent(password)}\n`)
  const checks = await check([
    clusterConfig('orders', { url: bare.href, passwordFile }),
    clusterConfig('lost', { url: bare.href, passwordFile: join(directory, 'nowhere') }),
    clusterConfig('payments', { url: server.marshalUrl }),
  ])
  const warnings = checks.filter(({ needed }) => needed === false).map(({ what }) => what)
  expect(warnings).toEqual(
    expect.arrayContaining(
      ['orders', 'payments'].map((name) => `is on the watched server ${name}, or a copy of it`),
    ),
  )
  expect(warnings.join()).not.toContain('lost')
})

it('asks all clusters at the same time, so that those that do not answer cost one deadline', async () => {
  const open = new Set<Socket>()
  let most = 0
  const mute = createServer((socket) => {
    open.add(socket)
    socket
      .on('error', () => {})
      .once('close', () => open.delete(socket))
      .resume()
    most = Math.max(most, open.size)
    if (open.size === 3) for (const one of open) one.destroy()
  }).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const url = `postgres://marshal:secret@127.0.0.1:${(mute.address() as AddressInfo).port}/orders?sslmode=disable`
  await check(['one', 'two', 'three'].map((name) => clusterConfig(name, { url })))
  mute.close()
  expect(most).toBe(3)
})
