import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAuthenticator, type OpenSecret } from '../../src/actions/authenticator.ts'
import { createAuthorization } from '../../src/actions/authorize.ts'
import { createSecondFactor, type SecondFactor } from '../../src/actions/secondFactor.ts'
import { freshMemory, lockMs, stepMs } from '../../src/domain/approvals/secondFactor.ts'
import { createLog } from '../../src/log.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig } from '../support/asking.ts'
import { cardsOf } from '../support/cards.ts'
import { proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const key = 'a key of sixteen or more'
const step = 1_000
const open = proposal()
const dana = { userId: 'U0DANA', teamId: 'T0' }

let store: Store
let time: number
let secret: OpenSecret
beforeEach(async () => {
  store = await openTestStore()
  time = step * stepMs
  await store.proposals.add(open)
  secret = await enroll('U0DANA')
})
afterEach(() => store.close())

async function enroll(userId: string): Promise<OpenSecret> {
  const made = await createAuthenticator(key).make(userId)
  await store.secondFactors.enroll({ userId, sealed: made.sealed, enrolledAt: 0, ...freshMemory })
  return made.secret
}

/** One process; what it remembers beside the store is its own. */
function replica(withKey = key): SecondFactor {
  const now = () => time
  const approvals = {
    people: { cancel: 1, terminate: 1 },
    requesterMayApprove: false,
    secondFactor: { cancel: true, terminate: true },
    breakGlass: [],
    expireAfterMs: 60_000,
  }
  const access = { viewers: 'everyone', requesters: 'everyone', approvers: ['U0DANA'] } as const
  const cards = cardsOf(store, {
    cardSettings: new Map([
      ['orders', clusterConfig('orders', { channel: 'C0INCIDENTS', access, approvals })],
    ]),
    now,
  })
  const log = createLog({ level: 'silent' })
  const authorization = createAuthorization({ checkAccess: async () => null, cards, now, log })
  const authenticator = createAuthenticator(withKey)
  return createSecondFactor({ factors: store.secondFactors, authenticator, cards, authorization, now })
}

const kinds = async () =>
  (await store.journal.ofCards(['card-1'], 50)).map(({ event }) =>
    event.kind === 'refused' ? event.code : event.kind,
  )

/** A code that is none of those around the present step. */
function wrongCode(): string {
  const right = [-1, 0, 1].map((away) => secret.codeAt(step + away))
  return ['000000', '000001', '000002', '000003'].find((code) => !right.includes(code)) ?? ''
}

describe('a code', () => {
  it('is accepted for one proposal and one person, and is journalled without itself', async () => {
    const code = secret.codeAt(step)
    expect(await replica().use(dana, open, code)).toEqual({ userId: 'U0DANA', proposalId: open.id })
    expect(await kinds()).toEqual(['codeAccepted'])
    expect(JSON.stringify(await store.journal.latest(10))).not.toContain(code)
    expect(await store.secondFactors.get('U0DANA')).toMatchObject({ lastStep: step, revision: 2 })
  })

  it('counts once on two replicas at the same time', async () => {
    const code = secret.codeAt(step)
    const replicas = [replica(), replica(), replica(), replica()]
    const answers = await Promise.all(replicas.map((one) => one.use(dana, open, code)))
    expect(answers.filter((answer) => !('code' in answer))).toHaveLength(1)
    expect(answers.filter((answer) => 'code' in answer && answer.code === 'usedCode')).toHaveLength(3)
    expect((await kinds()).filter((kind) => kind === 'codeAccepted')).toHaveLength(1)
  })

  it('is counted when wrong, once for each, by however many at the same time', async () => {
    const replicas = [replica(), replica(), replica()]
    const tries = Array.from({ length: 9 }, (_, n) => replicas[n % 3]?.use(dana, open, wrongCode()))
    const answers = await Promise.all(tries)
    const codes = answers.map((answer) => (answer && 'code' in answer ? answer.code : 'accepted'))
    expect(codes.filter((code) => code === 'wrongCode')).toHaveLength(5)
    expect(codes.filter((code) => code === 'locked')).toHaveLength(4)
    const written = await kinds()
    expect(written.filter((kind) => kind === 'wrongCode')).toHaveLength(5)
    expect(written.filter((kind) => kind === 'codesLocked')).toHaveLength(1)
    expect(await replica().use(dana, open, secret.codeAt(step))).toMatchObject({ code: 'locked' })
    expect(await replica().hindrance('U0DANA')).toMatchObject({ code: 'locked' })
    time += lockMs
    expect(await replica().hindrance('U0DANA')).toBe(null)
    expect(await replica().use(dana, open, secret.codeAt(step + lockMs / stepMs))).not.toHaveProperty('code')
  })

  it('of another person is wrong, also when their row is put in place of this one', async () => {
    const other = await enroll('U0DEVI')
    expect(await replica().use(dana, open, other.codeAt(step))).toMatchObject({ code: 'wrongCode' })
    const row = await store.secondFactors.get('U0DEVI')
    await store.secondFactors.remove('U0DANA')
    await store.secondFactors.enroll({
      ...freshMemory,
      userId: 'U0DANA',
      sealed: row?.sealed ?? '',
      enrolledAt: 0,
    })
    expect(await replica().use(dana, open, other.codeAt(step))).toMatchObject({ code: 'notEnrolled' })
    expect(await replica().hindrance('U0DANA')).toMatchObject({ code: 'notEnrolled' })
  })

  it('is of no use with another key, and without an enrolment', async () => {
    const rotated = replica(`${key}, rotated`)
    expect(await rotated.use(dana, open, secret.codeAt(step))).toMatchObject({
      code: 'notEnrolled',
      reason: expect.stringContaining('PG_MARSHAL_SECRET'),
    })
    await store.secondFactors.remove('U0DANA')
    expect(await replica().use(dana, open, secret.codeAt(step))).toMatchObject({
      code: 'notEnrolled',
      reason: expect.stringContaining('enroll U0DANA'),
    })
    expect(await kinds()).not.toContain('codeAccepted')
  })

  it('that is none is neither counted nor written down', async () => {
    expect(await replica().use(dana, open, '12345')).toMatchObject({ code: 'wrongCode' })
    expect(await kinds()).toEqual([])
    expect(await store.secondFactors.get('U0DANA')).toMatchObject({ wrong: 0 })
  })
})

describe('the store', () => {
  it('enrols each person once', async () => {
    const before = await store.secondFactors.get('U0DANA')
    const again = { userId: 'U0DANA', sealed: 'other', enrolledAt: 1, ...freshMemory }
    expect(await store.secondFactors.enroll(again)).toBe(false)
    expect(await store.secondFactors.get('U0DANA')).toEqual(before)
  })

  it('remembers nothing for somebody who was enrolled again meanwhile', async () => {
    const before = await store.secondFactors.get('U0DANA')
    await store.secondFactors.remove('U0DANA')
    await enroll('U0DANA')
    await enroll('U0DEVI')
    if (!before) throw new Error('not enrolled')
    const next = { lastStep: step, wrong: 0, lockedUntil: null }
    expect(await store.secondFactors.swap(before, next)).toBe(false)
    const fresh = (await store.secondFactors.all()).find(({ userId }) => userId === 'U0DANA')
    expect(fresh?.lastStep).toBe(null)
    if (fresh) expect(await store.secondFactors.swap(fresh, next)).toBe(true)
    if (fresh) expect(await store.secondFactors.swap(fresh, next)).toBe(false)
    expect((await store.secondFactors.get('U0DEVI'))?.lastStep).toBe(null)
  })

  it('removes one person alone, and says whether there was one', async () => {
    await enroll('U0DEVI')
    expect(await store.secondFactors.remove('U0DANA')).toBe(true)
    expect(await store.secondFactors.remove('U0DANA')).toBe(false)
    expect((await store.secondFactors.all()).map(({ userId }) => userId)).toEqual(['U0DEVI'])
  })
})
