import { expect, it } from 'vitest'
import { createAuthorization } from '../../src/actions/authorize.ts'
import type { Refusal } from '../../src/domain/approvals/access.ts'
import type { JournalEvent } from '../../src/domain/approvals/journal.ts'
import type { Cards } from '../../src/notify/cards.ts'
import { logTo } from '../support/cluster.ts'

/** The counting of refusals; what they look like in the journal is in test/e2e/approvals.test.ts. */

function open(access: Refusal | null = null) {
  const written: JournalEvent[] = []
  const logged: string[] = []
  let now = 0
  let isBroken = false
  const tx = {
    record: async (event: JournalEvent) => {
      if (isBroken) throw new Error('the disk is full')
      written.push(event)
    },
  }
  const cards = {
    commit: async (_: unknown, run: (with_: typeof tx) => unknown) => run(tx),
  } as unknown as Cards
  const authorization = createAuthorization({
    checkAccess: async () => access,
    cards,
    now: () => now,
    log: logTo(logged),
  })
  const refuse = (where: string, code: Refusal['code'], userId = 'U1', reason = 'no') =>
    authorization.refuse({ caller: { userId, teamId: 'T1' }, where }, { code, reason })
  return {
    written: () =>
      written.map((event) => event.kind === 'refused' && [event.actor, event.entry, event.more ?? 0]),
    authorize: () =>
      authorization.authorize({ caller: { userId: 'U1', teamId: 'T1' }, where: 'button' }, ['U2'], true),
    rows: written,
    logged,
    refuse,
    settle: authorization.settleCounts,
    breakStore: (broken: boolean) => {
      isBroken = broken
    },
    pass: (ms: number) => {
      now += ms
    },
  }
}

it('lets in without a word, and writes down who is not let in', async () => {
  const allowed = open()
  expect(await allowed.authorize()).toBeNull()
  expect(allowed.written()).toEqual([])
  const refusal: Refusal = { code: 'notAllowed', reason: 'no' }
  const refused = open(refusal)
  expect(await refused.authorize()).toEqual(refusal)
  expect(refused.written()).toEqual([['U1', 'button', 0]])
})

it('writes a stranger once, whatever they try, and then how often', async () => {
  const { refuse, settle, pass, written, rows } = open()
  for (const where of ['/pg sessions', '/pg terminate 1', 'button']) await refuse(where, 'notAllowed')
  await settle()
  expect(written()).toEqual([['U1', '/pg sessions', 0]])
  expect(rows[0]).not.toHaveProperty('more')
  pass(60_000)
  await settle()
  expect(written()).toEqual([
    ['U1', '/pg sessions', 0],
    ['U1', '/pg sessions', 2],
  ])
  await refuse('/pg sessions', 'notAllowed')
  expect(written()).toHaveLength(3)
})

it('writes each thing that somebody tries who may ask, and each person', async () => {
  const { refuse, settle, written } = open()
  await refuse('/pg terminate 1', 'untouchable')
  await refuse('/pg terminate 2', 'untouchable')
  await refuse('/pg terminate 2', 'untouchable', 'U1', 'another reason')
  await refuse('/pg terminate 2', 'untouchable', 'U2')
  await refuse('/pg terminate 2', 'untouchable', 'U2')
  await settle(true)
  expect(written()).toEqual([
    ['U1', '/pg terminate 1', 0],
    ['U1', '/pg terminate 2', 0],
    ['U1', '/pg terminate 2', 0],
    ['U2', '/pg terminate 2', 0],
    ['U2', '/pg terminate 2', 1],
  ])
})

it('counts again when a minute has passed, with the count of the one before', async () => {
  const { refuse, pass, written } = open()
  await refuse('button', 'notMember')
  await refuse('button', 'notMember')
  pass(60_000)
  await refuse('button', 'notMember')
  expect(written()).toEqual([
    ['U1', 'button', 0],
    ['U1', 'button', 1],
    ['U1', 'button', 0],
  ])
})

it('keeps counting what could not be written, and writes it when that can be done', async () => {
  const { refuse, pass, settle, breakStore, written } = open()
  await refuse('button', 'notMember')
  await refuse('button', 'notMember')
  pass(60_000)
  breakStore(true)
  await settle()
  await settle(true)
  await refuse('button', 'notMember')
  await refuse('button', 'notMember')
  expect(written()).toEqual([['U1', 'button', 0]])
  breakStore(false)
  pass(60_000)
  await settle()
  await settle(true)
  expect(written()).toEqual([
    ['U1', 'button', 0],
    ['U1', 'button', 3],
  ])
})

it('writes a count that is settled twice at the same time once', async () => {
  const { refuse, settle, written } = open()
  await refuse('button', 'notMember')
  await refuse('button', 'notMember')
  await Promise.all([settle(true), settle(true)])
  expect(written()).toEqual([
    ['U1', 'button', 0],
    ['U1', 'button', 1],
  ])
})

it('loses no count that fails while it is settled twice at the same time, and logs that it failed', async () => {
  const { refuse, settle, breakStore, written, logged } = open()
  await refuse('button', 'notMember')
  await refuse('button', 'notMember')
  expect(logged).toEqual([])
  breakStore(true)
  await Promise.all([settle(true), settle(true)])
  expect(logged).toHaveLength(1)
  breakStore(false)
  await settle(true)
  expect(written()).toEqual([
    ['U1', 'button', 0],
    ['U1', 'button', 1],
  ])
})

it('writes the oldest count early when there are more than a thousand', async () => {
  const { refuse, settle, breakStore, written } = open()
  for (let id = 0; id < 1_000; id++)
    for (let press = 0; press < 2; press++) await refuse('button', 'notMember', `U${id}`)
  await settle()
  breakStore(true)
  await settle(true)
  breakStore(false)
  expect(written()).toHaveLength(1_000)
  await refuse('button', 'notMember', 'U1000')
  await settle()
  expect(written().slice(1_001)).toEqual([['U0', 'button', 1]])
})

it('forgets what cannot be written when there is too much of it', async () => {
  const { refuse, settle, breakStore, written } = open()
  breakStore(true)
  for (let id = 0; id < 1_500; id++) await refuse('button', 'notMember', `U${id}`)
  await settle()
  breakStore(false)
  await settle(true)
  expect(written()).toHaveLength(1_000)
})
