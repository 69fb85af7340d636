import { describe, expect, it } from 'vitest'
import type { ButtonPress } from '../../src/actions/approve.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import { type Refusal, refusalOf } from '../../src/domain/approvals/access.ts'
import type { Proposal } from '../../src/domain/approvals/proposal.ts'
import { createCodes, proposalIn } from '../../src/slack/codes.ts'
import { proposal } from '../support/proposals.ts'

const caller = { userId: 'U0DANA', teamId: 'T0' }
const open = proposal()
const metadata = (over: Record<string, unknown> = {}) =>
  JSON.stringify({ proposalId: open.id, what: 'approve', ...over })
const values = (code: string, reason = '') => ({
  code: { code: { value: code } },
  reason: { reason: { value: reason } },
})

/** The codes that were tried, the presses that were carried out, and the methods of Slack that were called. */
function setup({
  stored = open,
  secondFactor = { cancel: false, terminate: true },
  answer = null,
  used = { userId: 'U0DANA', proposalId: open.id },
}: {
  stored?: Proposal | null
  secondFactor?: { cancel: boolean; terminate: boolean }
  answer?: Refusal | null
  used?: Refusal | { userId: string; proposalId: string }
} = {}) {
  const tried: string[] = []
  const carriedOut: ButtonPress[] = []
  const calls: string[] = []
  const codes = createCodes({
    modals: {
      open: async () => {
        calls.push('call')
        return { viewId: 'V1' }
      },
      update: async () => true,
    },
    cards: {
      state: async () => ({
        cluster: 'orders',
        incident: null,
        proposals: stored ? [stored] : [],
        people: { cancel: 1, terminate: 1 },
        secondFactor,
        approvers: [],
        breakGlass: false,
        silence: null,
      }),
    },
    proposals: { get: async (id) => (stored?.id === id ? stored : null) },
    clusters: new Map([['orders', { config: { approvals: { secondFactor } } } as unknown as WatchedCluster]]),
    approve: async (press) => {
      carriedOut.push(press)
      return answer
    },
    secondFactor: {
      use: async (_, __, code) => {
        tried.push(code)
        return used
      },
    },
  })
  return { codes, tried, carriedOut, calls }
}

describe('what is sent with the modal', () => {
  it('is a press with the proof of its code', async () => {
    const { codes, tried } = setup()
    expect(await codes.read(caller, metadata(), values(' 123456 '))).toEqual({
      press: {
        caller,
        proposalId: open.id,
        decision: 'approve',
        action: 'terminate',
        reason: '',
        code: { userId: 'U0DANA', proposalId: open.id },
      },
    })
    expect(tried).toEqual(['123456'])
  })

  it('has its error at the field of the code', async () => {
    const { codes } = setup({ used: refusalOf('wrongCode', 'this code is wrong') })
    expect(await codes.read(caller, metadata(), values('123456'))).toEqual({
      errors: { code: 'This code is wrong.' },
    })
  })

  it('uses up no code for what is decided, or where a reason is missing', async () => {
    const decided = setup({ stored: proposal({ state: 'denied' }) })
    expect(await decided.codes.read(caller, metadata(), values('123456'))).not.toHaveProperty('press.code')
    const { codes, tried } = setup()
    const alone = metadata({ what: 'breakGlass' })
    expect(await codes.read(caller, alone, values('123456', '…'))).toHaveProperty('errors.reason')
    expect([...tried, ...decided.tried]).toEqual([])
    expect(await codes.read(caller, alone, values('123456', 'it is down'))).toMatchObject({
      press: { decision: 'breakGlass', reason: 'it is down', code: { userId: 'U0DANA' } },
    })
  })

  it.each([
    '',
    'null',
    '{}',
    metadata({ what: 'deny' }),
    metadata({ proposalId: '../1' }),
    metadata({ code: { userId: 'U0DANA', proposalId: open.id } }),
    metadata({ proposalId: 'b2f6b0a4-0000-4000-8000-000000000009' }),
  ])('stands for nothing when it is none of ours: %s', async (text) => {
    const { codes, tried } = setup()
    const sent = await codes.read(caller, text, values('123456'))
    expect(sent).not.toHaveProperty('press.code')
    expect(tried).toEqual([])
    if (!text.includes('0009')) expect(proposalIn(text)).toBe('')
  })

  it.each([undefined, null, {}, { code: {} }, { code: { code: { value: 7 } } }])(
    '%o has no code',
    async (given) => {
      const { codes, tried } = setup()
      await codes.read(caller, metadata(), given ?? undefined)
      expect(tried).toEqual([''])
    },
  )
})

describe('a press', () => {
  const press = { caller, proposalId: open.id, decision: 'approve', action: 'terminate', reason: '' } as const
  const noCode = refusalOf('noCode', 'it takes a code')

  it.each([
    ['another action', { secondFactor: { cancel: true, terminate: false } }],
    ['what is not there', { stored: null }],
    ['what is decided', { stored: proposal({ state: 'denied' }) }],
  ])('opens no modal for %s', async (_, given) => {
    const { codes, calls, carriedOut } = setup(given)
    expect(await codes.press(press, 'trigger')).toBe(null)
    expect(await codes.isAskedFor(open.id)).toBe(false)
    expect(carriedOut).toEqual([press])
    expect(calls).toEqual([])
  })

  it('opens the modal where a code is missing, and nothing else', async () => {
    const asked = setup({ answer: noCode })
    expect(await asked.codes.isAskedFor(open.id)).toBe(true)
    expect(await asked.codes.press(press, 'trigger')).toBe(null)
    expect(asked.calls).toEqual(['call'])
    const refusal = refusalOf('notAllowed', 'you may not')
    const refused = setup({ answer: refusal })
    expect(await refused.codes.press(press, 'trigger')).toBe(refusal)
    expect(refused.calls).toEqual([])
  })
})
