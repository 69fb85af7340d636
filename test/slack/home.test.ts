import { describe, expect, it } from 'vitest'
import type { HomeReader } from '../../src/answers/home.ts'
import { createLog } from '../../src/log.ts'
import { SlackError } from '../../src/notify/slackError.ts'
import type { Slack } from '../../src/slack/client.ts'
import { createHomes } from '../../src/slack/home.ts'
import type { Rights } from '../../src/slack/rights.ts'
import type { HomeState } from '../../src/views/home.ts'
import { told } from '../support/render.ts'

const all: Rights = { sees: new Set(['orders']), approves: new Set(), refusal: null }
const none: Rights = {
  sees: new Set(),
  approves: new Set(),
  refusal: { code: 'notAllowed', reason: 'you are not among those who may do this' },
}
const unknown: Rights = {
  ...none,
  refusal: { code: 'lookUpFailed', reason: 'Slack could not say who you are' },
}
const home: HomeState = {
  ...{ clusters: [], incidents: [], openIncidents: 0, pending: [], waitingForMe: 0, waitingForOthers: 0 },
  ...{ silences: [], moreSilences: 0, decided: [] },
}
const person = (userId: string) => ({ userId, teamId: 'T0' })

/** Homes on a clock that the test sets, and a Slack that answers what the test says. */
function open() {
  const desk = {
    at: 1_000_000,
    openIncidents: 0,
    rights: all,
    lookUps: 0,
    reads: 0,
    drawn: 0,
    unseen: '',
    readFails: null as Error | null,
    fails: [] as (SlackError | null)[],
    calls: [] as { readonly user: string; readonly hash: string | undefined; readonly words: string }[],
    whispers: [] as unknown[],
  }
  type Publish = {
    readonly user_id: string
    readonly hash?: string
    readonly view: { readonly blocks: unknown[] }
  }
  const client = {
    views: {
      async publish({ user_id, hash, view }: Publish) {
        desk.calls.push({ user: user_id, hash, words: told(view.blocks) })
        const error = desk.fails.shift()
        if (error) throw error
        return { view: { hash: `hash ${desk.calls.length}` } }
      },
    },
  }
  const reader: HomeReader = {
    async remembered() {
      desk.reads++
      if (desk.readFails) throw desk.readFails
      return { incidents: [], waiting: [], silences: [], decided: [] }
    },
    homeOf: async () => {
      desk.drawn++
      return { ...home, openIncidents: desk.openIncidents }
    },
  }
  const homes = createHomes({
    slack: { call: (run: (given: typeof client) => unknown) => run(client) } as unknown as Slack,
    reader,
    rightsOf: async () => {
      desk.lookUps++
      return desk.rights
    },
    unseenNow: () => desk.unseen,
    now: () => desk.at,
    steady: () => desk.at,
    log: createLog({ level: 'silent' }),
  })
  const whisper = async (said: unknown) => void desk.whispers.push(said)
  const reply = { privately: whisper, openly: whisper }
  const change = (openIncidents: number) => {
    desk.openIncidents = openIncidents
    homes.changed()
  }
  /** Lets seconds pass, with a round in each. */
  const pass = async (seconds: number) => {
    for (let n = 0; n < seconds; n++) {
      desk.at += 1000
      await homes.round()
    }
  }
  return { desk, homes, reply, change, pass }
}

describe('Homes', () => {
  it('are published when they are opened and when their content changes, and else not', async () => {
    const { desk, homes, change, pass } = open()
    await homes.opened(person('U1'), 'theirs')
    expect(desk.calls).toMatchObject([{ user: 'U1', hash: 'theirs' }])
    homes.changed()
    await pass(10)
    expect(desk.drawn).toBe(2)
    await homes.opened(person('U1'), 'theirs')
    expect(desk.calls).toHaveLength(1)
    change(2)
    await pass(2)
    expect(desk.calls).toHaveLength(2)
    expect(desk.calls[1]).toMatchObject({
      hash: 'hash 1',
      words: expect.stringContaining('2 open incidents'),
    })
    await pass(60)
    await homes.opened(person('U1'), 'theirs')
    // As of now again.
    expect(desk.calls).toHaveLength(3)
  })

  it('follow for 15 minutes after they were opened, and no longer', async () => {
    const { desk, homes, change, pass } = open()
    await homes.opened(person('U1'), null)
    await pass(15 * 60 - 2)
    change(1)
    await pass(1)
    expect(desk.calls).toHaveLength(2)
    await pass(3)
    change(2)
    await pass(5)
    expect(desk.calls).toHaveLength(2)
  })

  it('wait two seconds between two changes, and read once for everybody', async () => {
    const { desk, homes, change, pass } = open()
    for (const user of ['U1', 'U2', 'U3']) await homes.opened(person(user), null)
    expect(desk.reads).toBe(1)
    await pass(5)
    for (let n = 1; n <= 8; n++) {
      change(n)
      await pass(1)
    }
    expect(desk.calls.filter(({ user }) => user === 'U1').length).toBeLessThanOrEqual(6)
    expect(desk.reads).toBeLessThanOrEqual(9)
  })

  it('show a cluster that goes out of sight', async () => {
    const { desk, homes, pass } = open()
    await homes.opened(person('U1'), null)
    await pass(1)
    const { reads } = desk
    desk.unseen = 'orders'
    await pass(3)
    expect(desk.reads).toBe(reads + 1)
  })

  it('never take more than 100 calls in any minute, and let everybody have a turn', async () => {
    const { desk, homes, change, pass } = open()
    const times: number[] = []
    let seen = 0
    const note = () => {
      for (; seen < desk.calls.length; seen++) times.push(desk.at)
    }
    for (let n = 0; n < 60; n++) {
      await homes.opened(person(`U${n}`), null)
      note()
    }
    for (let n = 1; n <= 200; n++) {
      change(n)
      await pass(1)
      note()
    }
    for (const from of times)
      expect(times.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(100)
    expect(times.length).toBeGreaterThan(200)
    const last = desk.calls.slice(-70).map(({ user }) => user)
    expect(new Set(last).size).toBe(60)
    // Somebody who comes now is not made to wait.
    const before = desk.calls.length
    await homes.opened(person('UNEW'), null)
    expect(desk.calls.length).toBe(before + 1)
  })

  it('give way to a newer one once, and keep away from Slack while it asks for that', async () => {
    const { desk, homes, change, pass } = open()
    await homes.opened(person('U1'), 'theirs')
    desk.fails = [new SlackError('hash_conflict')]
    change(1)
    await pass(2)
    expect(desk.calls.map(({ hash }) => hash)).toEqual(['theirs', 'hash 1', undefined])
    desk.fails = [new SlackError('ratelimited', 30_000)]
    change(2)
    await pass(25)
    expect(desk.calls).toHaveLength(4)
    await homes.opened(person('U2'), null)
    expect(desk.calls).toHaveLength(4)
    await pass(10)
    expect(
      desk.calls
        .slice(4)
        .map(({ user }) => user)
        .sort(),
    ).toEqual(['U1', 'U2'])
    desk.fails = [new SlackError('not_enabled')]
    change(3)
    await pass(20)
    expect(
      desk.calls.filter(({ user }) => user === 'U1').length +
        desk.calls.filter(({ user }) => user === 'U2').length,
    ).toBe(desk.calls.length)
    const { length } = desk.calls
    await pass(60)
    expect(desk.calls).toHaveLength(length)
  })

  it('are looked up again within about a minute, and show nothing to who may not see it any more', async () => {
    const { desk, homes, pass } = open()
    await homes.opened(person('U1'), null)
    desk.rights = none
    await pass(45)
    expect(desk.lookUps).toBe(1)
    await pass(30)
    expect(desk.calls.at(-1)?.words).toMatch(/^Nothing is shown to you here: you are not among/)
    desk.rights = unknown
    await pass(75)
    const { lookUps } = desk
    await pass(11)
    expect(desk.lookUps).toBeGreaterThan(lookUps)
    desk.rights = all
    await pass(20)
    expect(desk.calls.at(-1)?.words).toMatch(/^🟢/)
  })

  it('cost few look-ups, however many are open', async () => {
    const { desk, homes, pass } = open()
    for (let n = 0; n < 200; n++) {
      await homes.opened(person(`U${n}`), null)
      desk.at += 1000
    }
    desk.lookUps = 0
    await pass(60)
    expect(desk.lookUps).toBeLessThanOrEqual(60)
  })

  it('show an answer for two minutes, and whisper it where they cannot', async () => {
    const { desk, homes, reply, pass } = open()
    await homes.replyOn(person('U1'), reply).privately('Nothing was done.')
    expect(desk.calls.at(-1)?.words).toContain('Nothing was done.')
    await pass(110)
    expect(desk.calls.at(-1)?.words).toContain('Nothing was done.')
    await pass(15)
    expect(desk.calls.at(-1)?.words).not.toContain('Nothing was done.')
    for (let n = 0; n < 2; n++) await homes.replyOn(person('U1'), reply).privately('Twice.')
    expect(desk.whispers).toEqual([])
    desk.fails = [new SlackError('internal_error')]
    await homes.replyOn(person('U1'), reply).privately('Too late.')
    desk.rights = none
    await pass(60)
    await homes.replyOn(person('U1'), reply).privately('Not you.')
    expect(desk.calls.at(-1)?.words).not.toContain('Not you.')
    expect(desk.whispers).toEqual(['Too late.', 'Not you.'])
  })

  it('show the answer to a modal as well, to who was there a moment ago', async () => {
    const { desk, homes, reply, pass } = open()
    await homes.replyAlsoOn(person('U1'), reply).privately('one')
    expect(desk.calls).toEqual([])
    await homes.opened(person('U1'), null)
    await homes.replyAlsoOn(person('U1'), reply).privately('two')
    expect(desk.calls.at(-1)?.words).toContain('two')
    expect(desk.whispers).toEqual(['one', 'two'])
    const failing = () => Promise.reject(new Error('user_not_in_channel'))
    await homes.replyAlsoOn(person('U1'), { privately: failing, openly: failing }).privately('three')
    expect(desk.calls.at(-1)?.words).toContain('three')
    await pass(301)
    await expect(
      homes.replyAlsoOn(person('U1'), { privately: failing, openly: failing }).privately('four'),
    ).rejects.toThrow('user_not_in_channel')
  })

  it('are tried again after a fault, and remember nothing wrong', async () => {
    const { desk, homes, reply, pass } = open()
    desk.readFails = new Error('a fault')
    await homes.replyOn(person('U1'), reply).privately('Said elsewhere.')
    expect([desk.calls, desk.whispers]).toEqual([[], ['Said elsewhere.']])
    desk.readFails = null
    await pass(3)
    expect(desk.calls).toHaveLength(1)
  })
})
