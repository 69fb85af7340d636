import { describe, expect, it } from 'vitest'
import type { Authorization } from '../../src/actions/authorize.ts'
import type { Asker } from '../../src/answers/answer.ts'
import type { People } from '../../src/domain/session/policy.ts'
import { createQuestions } from '../../src/slack/questions.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import * as of from '../support/builders.ts'

const refusal = { code: 'notAllowed', reason: 'no' } as const

/** Two clusters: everybody may see orders, in C0ORDERS; only Dana may see billing, in C0BILLING. */
function openDesk({ failed = false } = {}) {
  const watched = (name: string, viewers: People, channel: string) => ({
    config: clusterConfig(name, {
      channel,
      access: { viewers, requesters: 'everyone', approvers: ['U0DANA'] },
    }),
    cluster: pictureCluster(of.picture([])),
  })
  const may = async ({ userId }: { userId: string }, allowed: People) =>
    allowed === 'everyone' || allowed.includes(userId) ? null : refusal
  const authorization: Authorization = {
    checkAccess: may,
    authorize: ({ caller }, allowed) => may(caller, allowed),
    refuse: async (_, why) => why,
    settleCounts: async () => {},
  }
  const readers: (readonly string[])[] = []
  const questions = createQuestions({
    answers: async (_question, _channel, asker?: Asker) => {
      readers.push([...(asker?.sees ?? [])])
      return { view: { text: 'answer', blocks: [] }, failed }
    },
    clusters: watching(
      watched('orders', 'everyone', 'C0ORDERS'),
      watched('billing', ['U0DANA'], 'C0BILLING'),
    ),
    channels: new Set(['C0ORDERS', 'C0BILLING']),
    timeZoneOf: async () => 'Europe/Berlin',
    authorization,
  })
  const ways: string[] = []
  const reply = {
    privately: async () => void ways.push('private'),
    openly: async () => void ways.push('open'),
  }
  const asked = (typed: string, userId: string, channelId: string) => ({
    caller: { userId, teamId: 'T0' },
    typed,
    channelId,
  })
  const press = (typed: string, userId: string, channelId: string, isPrivate: boolean) =>
    questions.again(
      {
        ...asked(typed, userId, channelId),
        message: { isPrivate, edit: async () => void ways.push('edit') },
      },
      reply,
    )
  return { questions, asked, press, reply, ways, readers }
}

describe('a Refresh', () => {
  it.each([
    ['in a channel that all may read', 'sessions', 'C0ORDERS', false, 'edit', ['orders']],
    [
      'in the channel of a cluster that few may see',
      'sessions',
      'C0BILLING',
      false,
      'edit',
      ['orders', 'billing'],
    ],
    [
      'of what few may see, where all read',
      'sessions --cluster billing',
      'C0ORDERS',
      false,
      'private',
      ['orders', 'billing'],
    ],
    ['of a private answer', 'sessions --cluster billing', 'C0ORDERS', true, 'edit', ['orders', 'billing']],
    ['of a private overview', 'overview', 'C0ORDERS', true, 'edit', ['orders', 'billing']],
    ['of an overview where all read', 'overview', 'C0ORDERS', false, 'private', ['orders', 'billing']],
  ])('%s', async (_, typed, channel, isPrivate, way, sees) => {
    const desk = openDesk()
    expect(await desk.press(typed, 'U0DANA', channel, isPrivate)).toBeNull()
    expect(desk.ways).toEqual([way])
    expect(desk.readers).toEqual([sees])
  })

  it('that fails leaves what was seen', async () => {
    const desk = openDesk({ failed: true })
    await desk.press('sessions', 'U0DANA', 'C0ORDERS', false)
    expect(desk.ways).toEqual(['private'])
  })

  it('shows nobody what they may not see', async () => {
    const desk = openDesk()
    expect(await desk.press('sessions --cluster billing', 'U0RESP', 'C0BILLING', false)).toEqual(refusal)
    expect(await desk.press('clusters', 'U0RESP', 'C0ORDERS', true)).toEqual(refusal)
    expect(desk.ways).toEqual([])
    expect(await desk.press('', 'U0RESP', 'C0ORDERS', true)).toBeNull()
    expect(desk.readers).toEqual([['orders']])
  })

  it.each(['cancel 1', 'terminate 1 now', 'snooze blocking 1h', 'unsnooze blocking', 'quiet 1h', 'nonsense'])(
    'does nothing but read: %s',
    async (typed) => {
      const desk = openDesk()
      const unknown = { code: 'unknownProposal' }
      expect(await desk.press(typed, 'U0DANA', 'C0ORDERS', false)).toMatchObject(unknown)
      const shown = await desk.questions.show(desk.asked(typed, 'U0DANA', 'C0ORDERS'), desk.reply)
      expect(shown).toMatchObject(unknown)
      expect(desk.readers).toEqual([])
    },
  )

  it('is not what shows another answer: that is for who pressed', async () => {
    const desk = openDesk()
    await desk.questions.show(desk.asked('sessions', 'U0DANA', 'C0ORDERS'), desk.reply)
    expect(desk.ways).toEqual(['private'])
  })
})
