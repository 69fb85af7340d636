import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLog } from '../../src/log.ts'
import { createOutbox, type Gaps, type Outbox, type Poster } from '../../src/notify/outbox.ts'
import { SlackError } from '../../src/notify/slackError.ts'
import type { Message } from '../../src/store/messages.ts'
import type { Store } from '../../src/store/store.ts'
import { waitFor } from '../support/postgres.ts'
import { openTestStore } from '../support/store.ts'

/** A Slack that writes down what it is told and fails as it is told to. */
function fakeSlack() {
  const calls: string[] = []
  const failures: SlackError[] = []
  let hold: Promise<void> | null = null
  let next = 0
  let found: string | null = null
  const step = async (call: string) => {
    await hold
    const failure = failures.shift()
    calls.push(failure ? `${call} ✗ ${failure.code}` : call)
    if (failure) throw failure
  }
  const poster: Poster = {
    async find(channel, _, id) {
      await step(`find ${channel}: ${id}`)
      return found
    },
    async post(channel, threadTs, { text, broadcast }) {
      const ts = `ts${++next}`
      const where = `${threadTs ? ` in ${threadTs}` : ''}${broadcast ? ' and beside it' : ''}`
      await step(`post ${channel}${where}: ${text}`)
      return ts
    },
    async update(_, ts, { text }) {
      await step(`update ${ts}: ${text}`)
    },
  }
  return {
    calls,
    poster,
    fail: (...codes: SlackError[]) => failures.push(...codes),
    has: (ts: string | null) => {
      found = ts
    },
    holdUntil: (promise: Promise<void> | null) => {
      hold = promise
    },
  }
}

let store: Store
let outbox: Outbox
let slack: ReturnType<typeof fakeSlack>
let time = 0
let broken: string[]
let said: { msg: string; code?: string; message?: string; retryInMs?: number }[]
const log = createLog({ level: 'warn', destination: { write: (line) => void said.push(JSON.parse(line)) } })

beforeEach(async () => {
  store = await openTestStore()
  slack = fakeSlack()
  time = 1_000_000
  broken = []
  said = []
  outbox = outboxOf(slack.poster)
})
afterEach(async () => {
  await outbox.stop()
  await store.close()
})

/** @param gaps null: as it is by default */
const outboxOf = (
  poster: Poster,
  gaps: Gaps | null = { postMs: 0, sameMs: 0, editMs: 0 },
  messages = store.messages,
): Outbox =>
  createOutbox({
    messages,
    poster,
    log,
    now: () => time,
    ...(gaps && { gaps }),
    onBroken: async (channel, { code }) => {
      broken.push(`${channel} ${code}`)
    },
  })

const put = (id: string, over: Partial<Message> = {}) =>
  store.messages.put(
    { id, channel: 'C1', threadOf: null, priority: 1, once: false, text: id, blocks: [], ...over },
    time,
  )

describe('outbox', () => {
  it('lets a card go before the notes after a limit, though it was the card that met it again and again', async () => {
    const limited = new SlackError('ratelimited', 1000)
    slack.fail(...Array.from({ length: 6 }, () => limited))
    await put('first', { priority: 0 })
    await put('card', { priority: 4 })
    outbox.start()
    for (let turn = 0; turn < 6; turn++) {
      await outbox.idle()
      time += 1000
      outbox.kick()
    }
    await outbox.idle()
    expect(slack.calls.slice(-2)).toEqual(['post C1: card', 'post C1: first'])
    expect(slack.calls.filter((call) => call.includes('first'))).toHaveLength(1)
  })

  it('waits ever longer for a limit that does not say how long, and holds all posts of the channel', async () => {
    const limited = new SlackError('ratelimited')
    slack.fail(limited, limited)
    await put('card', { priority: 4 })
    await put('note', { priority: 0 })
    outbox.start()
    await outbox.idle()
    time += 499
    outbox.kick()
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: card ✗ ratelimited'])
    time += 1
    outbox.kick()
    await outbox.idle()
    time += 999
    outbox.kick()
    await outbox.idle()
    expect(slack.calls).toHaveLength(2)
    time += 1
    outbox.kick()
    await outbox.idle()
    expect(slack.calls.slice(2)).toEqual(['post C1: card', 'post C1: note'])
  })

  it('names what holds a card back though edits in its channel go through', async () => {
    await put('old', { priority: 1 })
    outbox.start()
    await outbox.idle()
    slack.fail(new SlackError('ratelimited', 300_000))
    await put('card', { priority: 4 })
    await outbox.idle()
    await put('old', { text: 'edited' })
    outbox.kick()
    await outbox.idle()
    expect(slack.calls.at(-1)).toBe('update ts1: edited')
    expect([...outbox.failures()]).toEqual([['C1', expect.objectContaining({ code: 'ratelimited' })]])
    time += 300_000
    outbox.kick()
    await outbox.idle()
    expect(outbox.failures().size).toBe(0)
  })

  it('posts a card before its thread, urgent messages first, and a thread in order', async () => {
    await put('note 1', { threadOf: 'card', priority: 0 })
    await put('note 2', { threadOf: 'card', priority: 0, broadcast: true })
    await put('small', { priority: 0 })
    await put('card')
    outbox.start()
    await outbox.idle()
    expect(slack.calls).toEqual([
      'post C1: card',
      'post C1 in ts1: note 1',
      'post C1 in ts1 and beside it: note 2',
      'post C1: small',
    ])
  })

  it('edits in place, and only with the last of several edits', async () => {
    await put('card')
    outbox.start()
    await outbox.idle()
    await put('card', { text: 'two' })
    await put('card', { text: 'three' })
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: card', 'update ts1: three'])
  })

  it('delivers what is left after a restart, and nothing twice', async () => {
    await put('card')
    outbox.start()
    await outbox.idle()
    await outbox.stop()
    await put('card', { text: 'two' })
    expect(slack.calls).toEqual(['post C1: card'])
    outbox.start()
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: card', 'update ts1: two'])
  })

  it('waits as long as Slack asks, and no post goes to that channel meanwhile', async () => {
    slack.fail(new SlackError('ratelimited', 30_000))
    await put('one')
    await put('two')
    await put('elsewhere', { channel: 'C2' })
    outbox.start()
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: one ✗ ratelimited', 'post C2: elsewhere'])
    expect([...outbox.failures().keys()]).toEqual(['C1'])
    time += 30_000
    await outbox.idle()
    expect(slack.calls.slice(2).sort()).toEqual(['post C1: one', 'post C1: two'])
  })

  it('does not let one that fails hold up the others, nor let its thread go out of order', async () => {
    await put('card')
    outbox.start()
    await outbox.idle()
    slack.fail(new SlackError('service_unavailable'))
    await put('note 1', { threadOf: 'card', priority: 0 })
    await put('note 2', { threadOf: 'card', priority: 0 })
    await put('other', { priority: 0 })
    await outbox.idle()
    expect(slack.calls.slice(1)).toEqual(['post C1 in ts1: note 1 ✗ service_unavailable', 'post C1: other'])
    time += 60_000
    await outbox.idle()
    expect(slack.calls.slice(3)).toEqual(['post C1 in ts1: note 1', 'post C1 in ts1: note 2'])
  })

  it('posts nothing again that somebody has seen in Slack, though the reply was lost', async () => {
    slack.fail(new SlackError('unreachable'))
    await put('card')
    outbox.start()
    await outbox.idle()
    expect(await store.messages.seenAt('card', 'C1', 'lost')).toBe('lost')
    time += 60_000
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: card ✗ unreachable', 'update lost: card'])
  })

  it('empties the copy that somebody has seen while the second post was under way', async () => {
    const reply = Promise.withResolvers<void>()
    slack.holdUntil(reply.promise)
    await put('card')
    outbox.start()
    await waitFor(
      async () => (await store.messages.pending())[0]?.lastError === 'posting',
      'the post is under way',
    )
    await store.messages.seenAt('card', 'C1', 'lost')
    slack.holdUntil(null)
    reply.resolve()
    await outbox.empty()
    expect(slack.calls).toEqual([
      'post C1: card',
      'update lost: This card came twice. The other one goes on.',
    ])
    expect(await store.messages.standing(['card'])).toMatchObject([{ ts: 'ts1' }])
  })

  it('reports what stands between it and Slack', async () => {
    slack.fail(new SlackError('not_in_channel'))
    await put('card')
    outbox.start()
    await outbox.idle()
    expect(outbox.failures().get('C1')?.code).toBe('not_in_channel')
    expect(said).toMatchObject([
      { msg: 'Slack did not take a message', code: 'not_in_channel', channel: 'C1', retryInMs: 500 },
    ])
    time += 60_000
    await outbox.idle()
    expect(outbox.failures().size).toBe(0)
    expect(broken).toEqual(['C1 not_in_channel'])
  })

  it('reports once of a message that Slack refuses for itself, also while others go through', async () => {
    await put('card')
    outbox.start()
    await outbox.idle()
    await put('another')
    await outbox.idle()
    await put('card', { text: 'two' })
    for (let attempt = 0; attempt < 3; attempt++) {
      slack.fail(new SlackError('edit_window_closed'))
      await outbox.idle()
      await put(`other ${attempt}`)
      await put('another', { text: `edited ${attempt}` })
      await outbox.idle()
      expect(outbox.failures().size).toBe(0)
      time += 60_000
    }
    const refused = slack.calls.filter((call) => call.endsWith('✗ edit_window_closed'))
    expect([refused.length, broken]).toEqual([3, ['C1 edit_window_closed']])
    // It went through, and is refused again.
    await outbox.idle()
    slack.fail(new SlackError('edit_window_closed'))
    await put('card', { text: 'three' })
    await outbox.idle()
    expect(broken).toHaveLength(2)
  })

  it('reports a channel once, whether it refuses posts or edits', async () => {
    await put('old')
    outbox.start()
    await outbox.idle()
    slack.fail(new SlackError('not_in_channel'), new SlackError('not_in_channel'))
    await put('card')
    await outbox.idle()
    await put('old', { text: 'edited' })
    await outbox.idle()
    expect(slack.calls.slice(1)).toEqual([
      'post C1: card ✗ not_in_channel',
      'update ts1: edited ✗ not_in_channel',
    ])
    expect(broken).toEqual(['C1 not_in_channel'])
  })

  it('reports no other channel that the token is refused: it could hear of it only when that is over', async () => {
    slack.fail(new SlackError('token_revoked'))
    await put('card')
    outbox.start()
    await outbox.idle()
    expect([outbox.failures().get('C1')?.code, broken]).toEqual(['token_revoked', []])
  })

  it('gets to a channel that works, however much waits for another one', async () => {
    await store.atomically(async ({ messages }) => {
      for (let n = 0; n < 600; n++)
        await messages.put(
          {
            ...{ id: `held ${n}`, channel: 'C1', threadOf: null, priority: 4, once: false },
            ...{ text: `held ${n}`, blocks: [] },
          },
          time,
        )
    })
    await put('elsewhere', { channel: 'C2', priority: 0 })
    slack.fail(new SlackError('ratelimited', 60_000))
    outbox.start()
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: held 0 ✗ ratelimited', 'post C2: elsewhere'])
  })

  it('reports a channel that was archived while Slack had trouble anyway', async () => {
    slack.fail(new SlackError('service_unavailable'), new SlackError('is_archived'))
    await put('card')
    outbox.start()
    await outbox.idle()
    expect(broken).toEqual([])
    time += 60_000
    await outbox.idle()
    expect(broken).toEqual(['C1 is_archived'])
  })

  it.each(['message_not_found', 'cant_update_message'])(
    'posts a card again that somebody deleted, or that another app posted: %s',
    async (code) => {
      await put('card')
      outbox.start()
      await outbox.idle()
      slack.fail(new SlackError(code))
      await put('card', { text: 'two' })
      await outbox.idle()
      expect(slack.calls.slice(1)).toEqual([`update ts1: two ✗ ${code}`, 'post C1: two'])
      expect(outbox.failures().size).toBe(0)
    },
  )

  it('looks for a post whose reply was lost before it posts again', async () => {
    slack.fail(new SlackError('unreachable'))
    await put('card')
    outbox.start()
    await outbox.idle()
    slack.has('ts1')
    time += 60_000
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: card ✗ unreachable', 'find C1: card', 'update ts1: card'])
    slack.fail(new SlackError('http_503'))
    slack.has(null)
    await put('other')
    await outbox.idle()
    time += 60_000
    await outbox.idle()
    expect(slack.calls.slice(3)).toEqual(['post C1: other ✗ http_503', 'find C1: other', 'post C1: other'])
  })

  it('goes on looking for it while the look fails, which keeps no other message from the channel', async () => {
    slack.fail(new SlackError('fatal_error'))
    await put('card')
    outbox.start()
    await outbox.idle()
    time += 60_000
    slack.fail(new SlackError('ratelimited', 30_000))
    await outbox.idle()
    await put('other')
    await outbox.idle()
    time += 60_000
    slack.has('ts1')
    await outbox.idle()
    expect(slack.calls).toEqual([
      'post C1: card ✗ fatal_error',
      'find C1: card ✗ ratelimited',
      'post C1: other',
      'find C1: card',
      'update ts1: card',
    ])
  })

  it('finishes the call that is under way when it stops', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    slack.holdUntil(promise)
    await put('card')
    outbox.start()
    // The call is under way when its channel is busy: asking for the plan again shows nothing new.
    const stopped = outbox.stop()
    resolve()
    await stopped
    expect(slack.calls).toEqual(['post C1: card'])
    expect(await store.messages.pending()).toEqual([])
  })

  it('takes a post for one whose reply was lost when the process ended in its middle', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    slack.holdUntil(promise)
    await put('card')
    outbox.start()
    await waitFor(
      async () => (await store.messages.pending())[0]?.lastError === 'posting',
      'the post is under way',
    )
    // What a process that is killed now leaves behind, another one finds, once it must have come.
    const next = fakeSlack()
    next.has('ts7')
    const heir = outboxOf(next.poster)
    heir.start()
    time += 6999
    await heir.idle()
    expect(next.calls).toEqual([])
    time += 1
    await heir.idle()
    await heir.stop()
    resolve()
    expect(next.calls).toEqual(['find C1: card', 'update ts7: card'])
  })

  it('writes down later what stands in Slack and could not be written down, and asks Slack no more', async () => {
    let fails = true
    const writing = outboxOf(slack.poster, undefined, {
      ...store.messages,
      async delivered(...given) {
        if (fails) throw new Error('disk full')
        return store.messages.delivered(...given)
      },
    })
    await put('card')
    writing.start()
    await writing.idle()
    time += 7000
    await writing.idle()
    expect(await store.messages.standing(['card'])).toEqual([])
    expect(said).toMatchObject(
      Array(2).fill({ msg: 'a delivery could not be written down', message: 'card' }),
    )
    fails = false
    time += 7000
    await writing.idle()
    expect(await store.messages.standing(['card'])).toMatchObject([{ ts: 'ts1' }])
    expect(slack.calls).toEqual(['post C1: card'])
    // What it says later is an edit as any other.
    await put('card', { text: 'two' })
    await writing.empty()
    await writing.stop()
    expect(slack.calls).toEqual(['post C1: card', 'update ts1: two'])
  })

  it('leaves a post to another replica that was faster', async () => {
    const other = fakeSlack()
    const both = [outboxOf(slack.poster), outboxOf(other.poster)]
    await put('card')
    for (const one of both) one.start()
    await Promise.all(both.map((one) => one.empty()))
    await Promise.all(both.map((one) => one.stop()))
    expect([...slack.calls, ...other.calls]).toEqual(['post C1: card'])
  })

  it.each([
    [1000, ['post C1: card']],
    [1001, []],
  ])('stopped for %i ms right before a call, makes these: %j', async (ms, calls) => {
    const posting: typeof store.messages.posting = async (...given) => {
      const mayPost = await store.messages.posting(...given)
      time += ms
      return mayPost
    }
    const woken = outboxOf(slack.poster, undefined, { ...store.messages, posting })
    await put('card')
    woken.start()
    await woken.idle()
    await woken.stop()
    expect(slack.calls).toEqual(calls)
  })

  it('edits a message every few seconds at most, unless the change is urgent', async () => {
    const seconds = (n: number) => {
      time += n * 1000
      return outbox.idle()
    }
    outbox = outboxOf(slack.poster, null)
    await put('card')
    outbox.start()
    await outbox.idle()
    await put('card', { text: 'one' })
    // Not at the moment either at which it was posted.
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: card'])
    await seconds(1)
    await put('card', { text: 'two' })
    await seconds(1)
    expect(slack.calls).toEqual(['post C1: card'])
    await seconds(1)
    expect(slack.calls.splice(0)).toEqual(['post C1: card', 'update ts1: two'])

    await put('card', { text: 'three' })
    await seconds(1)
    await put('card', { text: 'approved', urgent: true })
    await outbox.idle()
    expect(slack.calls.splice(0)).toEqual(['update ts1: approved'])
    // An urgent change that cannot go just now stays urgent when the picture changes meanwhile.
    slack.fail(new SlackError('ratelimited', 1000))
    await put('card', { text: 'done', urgent: true })
    await outbox.idle()
    await put('card', { text: 'done, four' })
    await seconds(1)
    expect(slack.calls.splice(0)).toEqual(['update ts1: done ✗ ratelimited', 'update ts1: done, four'])
    await put('card', { text: 'five' })
    await seconds(2)
    expect(slack.calls).toEqual([])
    await seconds(1)
    expect(slack.calls).toEqual(['update ts1: five'])
  })

  it('wakes by itself for the first that has to wait, whatever waits longer', async () => {
    outbox = createOutbox({
      ...{ messages: store.messages, poster: slack.poster, log: createLog({ level: 'silent' }) },
      ...{ now: Date.now, gaps: { postMs: 0, sameMs: 0, editMs: 0 } },
    })
    outbox.start()
    for (const [channel, ms] of [
      ['C1', 600_000],
      ['C2', 200],
    ] as const) {
      slack.fail(new SlackError('ratelimited', ms))
      await put(`in ${channel}`, { channel })
      await outbox.idle()
    }
    await waitFor(() => slack.calls.includes('post C2: in C2'), 'the one that waits for less is posted')
    expect(slack.calls).toHaveLength(3)
  })

  it('is not held by a clock that was set back', async () => {
    outbox = outboxOf(slack.poster, null)
    await put('one')
    outbox.start()
    await outbox.idle()
    slack.fail(new SlackError('ratelimited', 30_000))
    await put('two')
    time += 1000
    await outbox.idle()
    await put('one', { text: 'edited' })
    time -= 900_000
    await put('three')
    await outbox.idle()
    expect(slack.calls.slice(1)).toEqual(['post C1: two ✗ ratelimited', 'update ts1: edited', 'post C1: two'])
    time += 1000
    await outbox.idle()
    expect(slack.calls.slice(4)).toEqual(['post C1: three'])
  })

  it('lets a new card pass while Slack wants fewer edits', async () => {
    await put('card')
    outbox.start()
    await outbox.idle()
    slack.fail(new SlackError('ratelimited', 30_000))
    await put('card', { text: 'two' })
    await outbox.idle()
    await put('another')
    await outbox.idle()
    expect(slack.calls.slice(1)).toEqual(['update ts1: two ✗ ratelimited', 'post C1: another'])
    time += 30_000
    await outbox.idle()
    expect(slack.calls.slice(3)).toEqual(['update ts1: two'])
  })

  it('keeps a second between posts in a channel, and a little more between edits that nobody waits for', async () => {
    outbox = outboxOf(slack.poster, null)
    await put('one')
    await put('two')
    outbox.start()
    await outbox.idle()
    await put('one', { text: 'edited', urgent: true })
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: one', 'update ts1: edited'])
    time += 1000
    await outbox.idle()
    expect(slack.calls).toEqual(['post C1: one', 'update ts1: edited', 'post C1: two'])
    time += 3000
    for (const id of ['one', 'two']) await put(id, { text: `${id} again` })
    await outbox.idle()
    expect(slack.calls.slice(3)).toEqual(['update ts1: one again'])
    time += 1200
    await outbox.idle()
    expect(slack.calls.slice(4)).toEqual(['update ts2: two again'])
  })
})
