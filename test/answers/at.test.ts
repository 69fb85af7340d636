import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, createAnswers, type Question } from '../../src/answers/answer.ts'
import { type PastLooks, recordOf } from '../../src/answers/record.ts'
import { createTop } from '../../src/answers/top.ts'
import { parseCommand } from '../../src/commands/command.ts'
import type { Picture } from '../../src/domain/locks/picture.ts'
import { createLog } from '../../src/log.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { createRecorder } from '../../src/watch/recorder.ts'
import { checkView, clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { type StorePlace, storePlaces } from '../support/store.ts'

/** 14:00 in Berlin. */
const start = Date.UTC(2026, 2, 1, 13)
const at = (seconds: number) => start + seconds * 1000

const sessions = [
  of.idleInTransaction(1, 60, { applicationName: 'checkout' }),
  of.waiting(2, 40),
  of.session(3, { applicationName: 'facts' }),
]
const calm = of.picture([of.session(3, { applicationName: 'facts' })])
const jam = of.picture(sessions, of.rowQueue(1, [[2, 40]]), {
  texts: new Map([
    [1, 'UPDATE orders SET state = ?'],
    [2, 'DELETE FROM orders WHERE id = ?'],
  ]),
})
const storm = of.picture(sessions, {
  ...{ kind: 'jammed', why: 'Too many wait in LWLock:LockManager.', last: null, lastTakenAt: null },
})
const blind = of.picture([of.session(3)], { kind: 'none' }, { server: of.server({ seesOthers: false }) })

/** What was seen each five seconds; null: nothing. */
const first: readonly (Picture | null)[] = [
  ...[calm, calm, jam, jam, storm, storm],
  ...[null, null, null, calm, calm],
]
/** After ten minutes in which the bot was stopped. */
const second: readonly (Picture | null)[] = [jam, blind, calm]
const restartAt = 655

async function record(store: Store, seen: readonly (Picture | null)[], from: number) {
  const recorder = createRecorder({
    history: store.history,
    everyMsOf: () => 5_000,
    maskText: (text) => text,
    log: createLog({ level: 'silent' }),
    now: () => start,
  })
  for (const [index, picture] of seen.entries()) {
    const takenAt = at(from + 5 * index)
    if (picture) recorder.saw({ ...picture, snapshot: { ...picture.snapshot, takenAt } })
    else recorder.unseen('orders', takenAt, 'The server refuses connections.')
  }
  await recorder.stop()
}

type Asking = { now?: number; zone?: string; record?: PastLooks | null; clusters?: readonly string[] }

async function ask(
  typed: string,
  { now = at(3600), zone = 'Europe/Berlin', record = null, clusters = ['orders'] }: Asking = {},
): Promise<Answer> {
  const question = parseCommand(typed)
  if (question.kind === 'problem') throw new Error(question.message)
  const answers = createAnswers({
    clusters: watching(
      ...clusters.map((name) => ({
        config: clusterConfig(name),
        cluster: pictureCluster(calm, [], {
          snapshot: () => expect.fail('what was is not asked of the server'),
          withText: () => expect.fail('nor is a statement'),
        }),
      })),
    ),
    past: null,
    record,
    top: createTop(),
    directory: null,
    now: () => now,
  })
  const asker = { typed, sees: new Set(clusters), timeZone: async () => zone }
  const answer = await answers(question as Question, null, asker)
  checkView(answer.view)
  return answer
}

/** Labels of the buttons, with the command of each. */
const buttonsOf = ({ view }: Answer): Record<string, string> =>
  Object.fromEntries(
    view.blocks.flatMap((block) =>
      block.type === 'actions'
        ? block.elements.flatMap((one) =>
            one.type === 'button' ? [[one.text.text, JSON.parse(one.value ?? '{}').command]] : [],
          )
        : [],
    ),
  )

describe.each(storePlaces)('/pg at, by a record in %s', (_, place) => {
  let stores: StorePlace
  let store: Store
  beforeAll(async () => {
    stores = await place()
    const settings = await stores.empty()
    const before = await openStore(settings)
    await record(before, first, 0)
    await before.close()
    store = await openStore(settings)
    await record(store, second, restartAt)
  })
  afterAll(async () => {
    await store.close()
    await stores.close()
  })
  const asked = (typed: string, over: Asking = {}) => ask(typed, { record: store.history, ...over })
  const textOf = async (typed: string, over: Asking = {}) => (await asked(typed, over)).view.text

  it('shows who blocked whom where somebody waited, with what was run, and offers nothing to act on', async () => {
    const answer = await asked('at 14:00:12')
    expect(answer.view.text.split('\n').slice(0, 6)).toEqual([
      'Who blocks whom on orders at 14:00:10',
      'As it was at 14:00:10 (Europe/Berlin), 2 s before 14:00:12: the last look until then. Seen, with its locks.',
      'The nearest other looks that saw something: 14:00:05 (7 s earlier) and 14:00:15 (3 s later).',
      '1 session waits behind 1 root.',
      '1 · idle in transaction for 1 min · blocks 1, longest 40 s · checkout · shop · orders',
      '     last: UPDATE orders SET state = ?',
    ])
    expect(answer.view.text).toContain('DELETE FROM orders')
    expect(answer.view.text).toContain('What would have ended it: Terminate')
    expect(answer.view.text).toContain('As it was at 2026-03-01 13:00:10 UTC.')
    expect(JSON.stringify(answer.view.blocks)).not.toMatch(
      /pg_propose|pg_refresh|pg_details|\/pg (cancel|term)/,
    )
    expect(buttonsOf(answer)).toEqual({
      Earlier: 'at 2026-03-01T13:00:05.000Z',
      Later: 'at 2026-03-01T13:00:15.000Z',
      'Next change': 'at 2026-03-01T13:00:20.000Z',
    })
  })

  it('shows the sessions where nobody waited, and any list that is asked for', async () => {
    expect(await textOf('at 14:00:05')).toMatch(
      /^Sessions on orders at 14:00:05\nAs it was at 14:00:05 \(Europe\/Berlin\)\. Seen/,
    )
    const sessions = await asked('at 14:00:10 sessions --app web')
    expect(sessions.view.text).toContain('Sessions on orders at 14:00:10')
    expect(sessions.view.text).toContain('1 of 3 sessions match --app web.')
    expect(buttonsOf(sessions).Later).toBe('at 2026-03-01T13:00:15.000Z sessions --app web')
    expect(await textOf('at blocking 14:00:05')).toContain('Nobody waits for a lock.')
    expect(await textOf('at 14:00:10 long')).toContain('Long-running sessions on orders at 14:00:10')
    expect(await textOf('at 14:00:10 idle')).toContain('Idle sessions on orders at 14:00:10')
    expect(await textOf('at 14:00:10 activity')).toContain('Activity on orders at 14:00:10')
  })

  it('repeats the way to another list as one of the past', async () => {
    const text = await textOf('at 14:00:10 sessions --app facts')
    expect(text).toContain('see /pg at 2026-03-01T13:00:10.000Z blocking.')
  })

  it('goes from look to look, from change to change, and over what was not seen', async () => {
    const seen: string[] = []
    for (let typed = 'at 2026-03-01T14:00'; ; ) {
      const answer: Answer = await asked(typed)
      seen.push(answer.view.text.split('\n')[0] ?? '')
      const next = buttonsOf(answer)['Next change']
      if (next === undefined) break
      typed = next
    }
    expect(seen).toEqual([
      'Sessions on orders at 14:00:00',
      'Who blocks whom on orders at 14:00:10',
      'Who blocks whom on orders at 14:00:20',
      'orders was not seen at 14:00:30',
      'Sessions on orders at 14:00:45',
      'Who blocks whom on orders at 14:10:55',
      'Sessions on orders at 14:11:00',
      'Sessions on orders at 14:11:05',
    ])
    expect(buttonsOf(await asked('at 14:00:45')).Earlier).toBe('at 2026-03-01T13:00:25.000Z')
    expect(buttonsOf(await asked('at 14:00:00'))).not.toHaveProperty('Earlier')
    expect(buttonsOf(await asked('at 14:11:06'))).toEqual({ Earlier: 'at 2026-03-01T13:11:00.000Z' })
  })

  it('says that a moment was partly seen', async () => {
    const text = await textOf('at 14:00:20')
    expect(text).toContain('Partly seen: not all of it could be read.')
    expect(text).toContain('1 session waits for a lock, and who blocks them could not be read.')
    const lacking = await textOf('at 14:11:01')
    expect(lacking).toContain('Partly seen')
    expect(lacking).toContain('pg-marshal could not see other sessions on orders')
    expect(lacking).not.toContain('GRANT')
  })

  it.each([
    ['14:00:34', 'The server refuses connections.', '14:00:25 (9 s earlier) and 14:00:45 (11 s later)'],
    [
      '14:05',
      'No look was taken: the bot was stopped or paused',
      '14:00:50 (4 min 10 s earlier) and 14:10:55 (5 min 55 s later)',
    ],
    ['14:40', 'No look was taken', '14:11:05 (28 min earlier).'],
  ])('never shows %s, which was not seen, as calm', async (time, why, beside) => {
    const answer = await asked(`at ${time}`)
    expect(answer.view.text).toMatch(new RegExp(`^orders was not seen at ${time}`))
    expect(answer.view.text).toContain(why)
    expect(answer.view.text).toContain('This says nothing about how it was.')
    expect(answer.view.text).toContain(beside)
    expect(answer.view.text).not.toMatch(/Nobody|sessions? on|active/)
    expect(buttonsOf(answer)).toHaveProperty('Earlier')
  })

  it('speaks for two and a half intervals', async () => {
    expect(await textOf('at 14:01:02.5')).toContain('Sessions on orders at 14:00:50')
    expect(await textOf('at 14:01:02.501')).toContain('orders was not seen')
  })

  it('goes by the clock of who asks, and says which', async () => {
    expect(await textOf('at 18:45:10', { zone: 'Asia/Kathmandu' })).toContain(
      'As it was at 18:45:10 (Asia/Kathmandu)',
    )
    expect(await textOf('at 13:00:10', { zone: 'Nowhere/At all' })).toContain('As it was at 13:00:10 (UTC)')
    expect(await textOf('at yesterday 14:00:10', { now: at(86_400) })).toContain(
      'As it was at 1 Mar 14:00:10 (Europe/Berlin)',
    )
    expect(await textOf('at 50 sec ago', { now: at(60) })).toContain('As it was at 14:00:10')
  })

  it.each([
    ['at 15:00:01', 'That is still to come: write a time that is over, like yesterday 15:00:01.'],
    ['at noon', 'Write a time like 14:05, 14:05:30, yesterday 23:10, 20 min ago or 2026-03-01T14:05.'],
    ['at 14:05 tomorrow', 'Write a time like'],
    [
      'at 13:30',
      'The record of orders begins at 14:00:00 (Europe/Berlin): ask for a time from then on, with /pg at 2026-03-01T13:00:00.000Z.',
    ],
  ])('%s is answered by a sentence: %s', async (typed, sentence) => {
    const { view, failed } = await asked(typed)
    expect(view.text).toContain(sentence)
    expect(view.text.split('\n')).toHaveLength(2)
    expect(failed).toBe(true)
  })

  it('needs the name of a cluster where there are several, and keeps it', async () => {
    const clusters = ['orders', 'other one']
    const which = await asked('at 14:00:10', { clusters })
    expect(which.view.text).toContain('Which cluster? Add --cluster NAME.')
    expect(which.failed).toBe(true)
    expect(await textOf('at 14:00:10 --cluster ordrs', { clusters })).toContain('Did you mean orders?')
    const answer = await asked('at 14:00:10 --cluster orders', { clusters })
    expect(buttonsOf(answer).Later).toBe('at 2026-03-01T13:00:15.000Z --cluster orders')
    const other = await asked('at 14:00:10 --cluster "other one"', { clusters })
    expect(other.view.text).toContain('Nothing is recorded of other one yet.')
    expect(other.failed).toBe(true)
  })

  it('hides statements that were recorded before they were to be hidden', async () => {
    const kept = { keepMs: 1, mostBytes: 1 }
    const record = recordOf(store.history, { history: kept, queryText: 'hidden' })
    const text = await textOf('at 14:00:10', { record })
    expect(text).toContain('idle in transaction for 1 min')
    expect(text).not.toMatch(/UPDATE|DELETE/)
    const looks = [...((await record?.between('orders', at(0), at(60))) ?? [])]
    for await (const look of record?.each('orders', at(0), at(60)) ?? []) looks.push(look)
    expect(looks).toHaveLength(22)
    expect(looks.some(({ look }) => 'snapshot' in look && look.snapshot.texts)).toBe(false)
    expect(recordOf(store.history, { history: kept, queryText: 'masked' })).toBe(store.history)
    expect(recordOf(store.history, { history: { ...kept, keepMs: null }, queryText: 'full' })).toBeNull()
  })
})

describe('/pg at', () => {
  it('says how to record where nothing is', async () => {
    const { view, failed } = await ask('at 14:00')
    expect(view.text).toContain('history.keep: 7d')
    expect(failed).toBe(true)
  })

  it('says what summer time did to the time', async () => {
    const settings = await storePlaces[0]?.[1]()
    if (!settings) throw new Error('no place for a store')
    const store = await openStore(await settings.empty())
    const twice = Date.UTC(2026, 9, 25, 0, 30)
    await record(store, [calm], (twice - start) / 1000)
    const answer = await ask('at 02:30', { record: store.history, now: Date.UTC(2026, 9, 25, 12) })
    expect(answer.view.text).toContain(
      'Clocks in Europe/Berlin showed that time twice: this is the later one. The earlier one: /pg at 2026-10-25T00:30:00.000Z',
    )
    const skipped = await ask('at 2027-03-28T02:30', { record: store.history, now: Date.UTC(2027, 3, 1) })
    expect(skipped.view.text).toContain('Clocks in Europe/Berlin jumped over that time')
    await store.close()
    await settings.close()
  })
})
