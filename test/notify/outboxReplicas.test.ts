import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createLog } from '../../src/log.ts'
import { createOutbox, type Poster } from '../../src/notify/outbox.ts'
import { SlackError } from '../../src/notify/slackError.ts'
import type { Message } from '../../src/store/messages.ts'
import type { Store } from '../../src/store/store.ts'
import { openTestStore } from '../support/store.ts'

/** The client of Slack gives a call up then; what has not arrived by then never does. Milliseconds. */
const givenUpAfterMs = 5000

/** A post on its way, to Slack or back. */
type Call = {
  readonly startedAt: number
  isOver: boolean
  arrive(): void
  /** Nothing arrives any more. @param isLost nor does the answer */
  end(isLost: boolean): void
}

/** One channel in Slack and one store, and processes that all bring what there is to say. */
function createWorld(store: Store) {
  let now = 1_000_000
  const posted: { readonly id: string; readonly threadTs: string | null; readonly ts: string }[] = []
  const calls: Call[] = []
  let asking = 0

  /** Starts a process. While it is frozen it hears nothing and asks nothing; killed, it never does again. */
  function startProcess() {
    let isDead = false
    let frozen: PromiseWithResolvers<void> | null = null
    const goOn = async () => {
      while (frozen || isDead) await (isDead ? new Promise(() => {}) : frozen?.promise)
    }
    const hear = async <T>(answer: Promise<T>): Promise<T> => {
      await Promise.allSettled([answer])
      await goOn()
      return answer
    }
    const asked =
      <Given extends unknown[], T>(run: (...given: Given) => Promise<T>) =>
      async (...given: Given): Promise<T> => {
        await goOn()
        asking++
        return hear(run(...given).finally(() => asking--))
      }
    const { messages } = store
    const poster: Poster = {
      find: asked(async (_channel, _thread, id) => posted.find((one) => one.id === id)?.ts ?? null),
      update: asked(async () => {}),
      post(_channel, threadTs, _content, id) {
        const { promise, resolve, reject } = Promise.withResolvers<string>()
        let ts: string | null = null
        const call: Call = {
          startedAt: now,
          isOver: false,
          arrive() {
            if (ts !== null || call.isOver) return
            ts = `ts${posted.length}`
            posted.push({ id, threadTs, ts })
          },
          end(isLost) {
            if (call.isOver) return
            call.isOver = true
            if (isLost || ts === null) reject(new SlackError('unreachable'))
            else resolve(ts)
          },
        }
        calls.push(call)
        return hear(promise)
      },
    }
    const outbox = createOutbox({
      messages: {
        ...messages,
        pending: asked(messages.pending),
        content: asked(messages.content),
        posting: asked(messages.posting),
        delivered: asked(messages.delivered),
        failed: asked(messages.failed),
      },
      poster,
      log: createLog({ level: 'silent' }),
      now: () => now,
      gaps: { postMs: 0, sameMs: 0, editMs: 0 },
    })
    outbox.start()
    return {
      kick: () => frozen ?? outbox.kick(),
      freeze() {
        frozen ??= Promise.withResolvers()
      },
      thaw() {
        frozen?.resolve()
        frozen = null
      },
      kill() {
        isDead = true
        frozen?.resolve()
        void outbox.stop()
      },
      stop: outbox.stop,
    }
  }

  return {
    ...{ posted, startProcess },
    now: () => now,
    underway: () => calls.filter(({ isOver }) => !isOver),
    pass(ms: number) {
      now += ms
      for (const call of calls) if (now - call.startedAt >= givenUpAfterMs) call.end(true)
    },
    /** Resolves when nobody waits for the store any more. */
    async settle() {
      for (let calm = 0; calm < 4; calm = asking > 0 ? 0 : calm + 1) await new Promise(setImmediate)
    },
  }
}

const which = fc.nat(1)
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('note' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), which }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 500, 1001, 3000, 7000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('arrive' as const), which }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('end' as const), which, isLost: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('freeze' as const, 'thaw' as const, 'kill' as const),
      which,
    }),
  },
)

type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

/** One hears after its time that its post failed, when the other one posts it already. */
const hearsLate: Event[] = [
  { kind: 'freeze', which: 0 },
  { kind: 'pass', ms: 7000 },
  { kind: 'pass', ms: 1 },
  { kind: 'thaw', which: 0 },
  { kind: 'pass', ms: 1001 },
  { kind: 'arrive', which: 0 },
  { kind: 'arrive', which: 1 },
]
/** What is being posted is edited: it is the other one's as little as before. */
const editedMeanwhile: Event[] = [
  { kind: 'freeze', which: 0 },
  { kind: 'edit', which: 0 },
  { kind: 'edit', which: 1 },
  { kind: 'pass', ms: 1 },
  { kind: 'end', which: 1, isLost: true },
  { kind: 'pass', ms: 1001 },
  { kind: 'arrive', which: 0 },
  { kind: 'arrive', which: 1 },
]

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

let runs = 0

it('brings each message once, and each thread in order, whatever happens to two replicas that bring them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 10, maxLength: 40 }), async (events) => {
      const world = createWorld(store)
      const run = ++runs
      const cards = [`card ${run}.0`, `card ${run}.1`]
      const notes: [string[], string[]] = [[], []]
      const put = (id: string, over: Partial<Message> = {}) =>
        store.messages.put(
          {
            ...{ id, channel: 'C1', threadOf: null, priority: 1, once: false, text: id, blocks: [] },
            ...over,
          },
          world.now(),
        )
      const processes: [ReturnType<typeof world.startProcess>, ReturnType<typeof world.startProcess>] = [
        world.startProcess(),
        world.startProcess(),
      ]
      for (const card of cards) await put(card)
      const goOn = async () => {
        for (const one of processes) one.kick()
        await world.settle()
      }
      for (const [place, event] of events.entries()) {
        await goOn()
        switch (event.kind) {
          case 'note': {
            const { which } = event
            const id = `note ${run}.${which}.${place}`
            notes[which]?.push(id)
            // As the notes of the journal, and as those that are counted on.
            await put(id, { threadOf: cards[which] ?? null, priority: 0, once: place % 2 === 0 })
            break
          }
          case 'edit':
            await put(cards[event.which] ?? '', { text: `edited ${place}` })
            break
          case 'pass':
            world.pass(event.ms)
            break
          case 'arrive':
            world.underway().at(event.which)?.arrive()
            break
          case 'end':
            world.underway().at(event.which)?.end(event.isLost)
            break
          case 'kill':
            processes[event.which]?.kill()
            processes[event.which] = world.startProcess()
            break
          default:
            processes[event.which]?.[event.kind]()
        }
      }
      for (const one of processes) one.thaw()
      for (let left = 1; left > 0; left = (await store.messages.pending()).length) {
        await goOn()
        for (const call of world.underway()) {
          call.arrive()
          call.end(false)
        }
        await world.settle()
        world.pass(8000)
      }
      await Promise.all(processes.map((one) => one.stop()))

      expect(world.posted.map(({ id }) => id).sort()).toEqual([...cards, ...notes.flat()].sort())
      for (const [which, card] of cards.entries()) {
        const ts = world.posted.find(({ id }) => id === card)?.ts
        expect(world.posted.filter(({ threadTs }) => threadTs === ts).map(({ id }) => id)).toEqual(
          notes[which],
        )
      }
    }),
    { numRuns: 40, examples: [[hearsLate], [editedMeanwhile]] },
  )
})
