import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { carryOutOnHost, describeProcess, isPastOnHost } from '../../src/actions/carryOutOnHost.ts'
import { readProcess } from '../../src/actions/freshProcess.ts'
import { reconcile } from '../../src/actions/reconcile.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import { openProposal, type Proposal } from '../../src/domain/approvals/proposal.ts'
import { sessionKeyOf } from '../../src/domain/session/session.ts'
import { createHost } from '../../src/host/procfs.ts'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import { picture } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { openTestStore } from '../support/store.ts'

let server: TestServer
let shop: string
beforeAll(async () => {
  server = await startTestServer()
  shop = await server.createRole('shop')
})
afterEach(() => server.closeAll())
afterAll(() => server.stop())

const blind = {
  failure: () => clusterErrorWith('DEADLINE'),
  snapshot: () => Promise.reject(clusterErrorWith('DEADLINE')),
}
const watchedWith = (cluster: object = blind, config: object = {}): WatchedCluster => ({
  config: clusterConfig('orders', { url: server.marshalUrl, host: 'local', ...config }),
  cluster: pictureCluster(picture([]), [], cluster),
})
const proposalFor = async (pid: number, action: 'cancel' | 'terminate' = 'terminate'): Promise<Proposal> => {
  const seen = await readProcess(watchedWith().config, pid)
  if ('code' in seen) throw new Error(seen.reason)
  const { session } = seen
  const key = sessionKeyOf('orders', session)
  const made = { id: 'p', cardId: 'c', action, key, session, victims: [], reason: '', requestedBy: 'U0RESP' }
  return openProposal(made, Date.now(), 60_000)
}
/** For a process that has ended since. */
const proposalForGone = async (): Promise<Proposal> => {
  const session = await server.open('web', shop)
  const proposal = await proposalFor(session.pid)
  await session.close()
  await server.until('SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1', [session.pid])
  return proposal
}
const carryOut = (proposal: Proposal, watched = watchedWith(), begin: typeof begun = begun) =>
  carryOutOnHost(proposal, {
    watched,
    begin: (before) => begin(proposal, before),
    steady: () => performance.now(),
  })
const begun = async (proposal: Proposal, before: string): Promise<Proposal | null> => ({
  ...proposal,
  signalBefore: before,
})
const alive = async (session: { query(sql: string): Promise<{ rows: unknown[] }> }) =>
  expect((await session.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])

describe('an approved process', () => {
  it('is ended, with its time written down before', async () => {
    const session = await server.open('web', shop)
    let before = ''
    const result = await carryOut(await proposalFor(session.pid), watchedWith(), async (proposal, until) => {
      before = until
      expect(Number(before) - createHost().seconds()).toBeGreaterThan(3)
      expect(Number(before) - createHost().seconds()).toBeLessThanOrEqual(5)
      return begun(proposal, until)
    })
    expect(result).toMatchObject({
      outcome: { kind: 'effective' },
      sql: `kill -TERM ${session.pid}`,
      returned: true,
    })
    await session.ended
    expect(before).not.toBe('')
  })

  it.each<[string, object, object, RegExp]>([
    ['the server answers again', { failure: () => null }, {}, /the server answers again, and knows more/],
    ['it became protected', blind, { protected: [{ user: 'shop' }] }, /protected by the configuration/],
    ['the server is not here any more', blind, { host: null }, /not said to run on this machine/],
    ['another port is written', blind, { url: 'postgres://m@localhost:1/x' }, /From the operating system: /],
  ])('gets nothing where %s', async (_, cluster, config, why) => {
    const session = await server.open('web', shop)
    const { outcome, sql } = await carryOut(await proposalFor(session.pid), watchedWith(cluster, config))
    expect(sql).toBeNull()
    expect(JSON.stringify(outcome)).toMatch(why)
    await alive(session)
  })

  it('is ended where the server seems to be there and does not answer', async () => {
    const session = await server.open('web', shop)
    const hangs = { ...blind, failure: () => null }
    expect(await carryOut(await proposalFor(session.pid), watchedWith(hangs))).toMatchObject({
      outcome: { kind: 'effective' },
    })
    await session.ended
  })

  it('gets nothing where its start is another one, or another process has ended the claim', async () => {
    const session = await server.open('web', shop)
    const proposal = await proposalFor(session.pid)
    const reused = proposal.session.backendStart.replace(/\d+$/, '1')
    const other = { ...proposal, session: { ...proposal.session, backendStart: reused } }
    expect(await carryOut(other)).toMatchObject({
      outcome: { kind: 'changed', what: expect.stringMatching(/another process/) },
    })
    expect(await carryOut(proposal, watchedWith(), async () => null)).toMatchObject({
      outcome: { kind: 'notSent' },
    })
    const failing = async () => {
      throw new Error('disk')
    }
    expect(await carryOut(proposal, watchedWith(), failing)).toMatchObject({ outcome: { kind: 'notSent' } })
    await alive(session)
  })

  it('gets nothing where it changed between the last look and the signal', async () => {
    const session = await server.open('web', shop)
    const proposal = await proposalFor(session.pid)
    const result = await carryOut(proposal, watchedWith(), async (...all) => {
      await session.query('BEGIN')
      return begun(...all)
    })
    expect(result).toMatchObject({
      outcome: { kind: 'changed', what: expect.stringMatching(/in use again/) },
      sql: null,
    })
    await alive(session)
  })

  it('that is gone is said to be', async () => {
    const proposal = await proposalForGone()
    expect(await carryOut(proposal)).toMatchObject({
      outcome: { kind: 'changed', what: `${proposal.key.pid} was gone already` },
    })
  })
})

describe('a claim whose bot was killed', () => {
  const machine = createHost()
  /** Takes over what is claimed in the store, as the next process does. */
  const takeOver = async (
    claimed: Partial<Proposal>,
    { pid, watched = watchedWith(), after = 0 }: { pid: number; watched?: WatchedCluster; after?: number },
  ) => {
    const store = await openTestStore()
    const proposal = {
      ...(await proposalFor(pid)),
      state: 'claimed',
      claimedAt: 0,
      claimedBy: 'gone',
      ...claimed,
    } as const
    await store.proposals.add(proposal as Proposal)
    const clusters = watching(watched)
    const { proposals } = store
    await reconcile({ cards: cardsOf(store), proposals, clusters, isGone: () => true, now: () => after })
    const outcome = (await store.proposals.get('p'))?.outcome ?? null
    await store.close()
    return outcome
  }

  it('before the signal had a time, sent nothing', async () => {
    const session = await server.open('web', shop)
    expect(await takeOver({}, { pid: session.pid })).toMatchObject({ kind: 'notSent' })
    await alive(session)
  })

  it('after that may have sent it, which is said once its time has passed; it is never sent again', async () => {
    const session = await server.open('web', shop)
    const at = { pid: session.pid, after: 1_000_000 }
    expect(await takeOver({ signalBefore: String(machine.seconds() + 5) }, at)).toBeNull()
    expect(await takeOver({ signalBefore: String(machine.seconds() - 1) }, at)).toMatchObject({
      kind: 'unknown',
      now: expect.stringMatching(
        /^The process is still there: postgres: shop postgres 127\.0\.0\.1\(\d+\) idle\.$/,
      ),
    })
    const elsewhere = watchedWith(blind, { host: null })
    const past = { signalBefore: String(machine.seconds() - 1) }
    expect(await takeOver(past, { ...at, watched: elsewhere })).toMatchObject({
      now: expect.stringMatching(/^How it is now cannot be seen: it is not said to run on this machine/),
    })
    const key = { cluster: 'orders', pid: session.pid, backendStart: 'boot other postmaster 1@1 process 1' }
    // The clock of another machine says nothing here.
    expect(await takeOver({ ...past, key }, { ...at, after: 1000 })).toBeNull()
    expect(await takeOver({ ...past, key }, at)).toMatchObject({ now: 'The process is gone now.' })
    await alive(session)
  })

  it('whose process is gone, says so', async () => {
    expect(await describeProcess(watchedWith().config, await proposalForGone())).toBe(
      'The process is gone now.',
    )
  })
})

it('the time of a signal passes by the clock of the machine; on another one somebody else decides', async () => {
  const session = await server.open('web', shop)
  const proposal = await proposalFor(session.pid)
  const host = createHost()
  const at = (signalBefore: number, over: object = {}) =>
    isPastOnHost({ ...proposal, signalBefore: String(signalBefore), ...over }, () => true)
  expect(at(host.seconds() + 5)).toBe(false)
  expect(at(host.seconds() - 1)).toBe(true)
  const elsewhere = { ...proposal.key, backendStart: 'boot other postmaster 1@1 process 1' }
  expect(at(host.seconds() + 5, { key: elsewhere })).toBe(true)
})
