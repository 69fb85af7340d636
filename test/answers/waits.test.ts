import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAnswers, type Question } from '../../src/answers/answer.ts'
import type { PastLooks } from '../../src/answers/record.ts'
import { createTop } from '../../src/answers/top.ts'
import { parseCommand } from '../../src/commands/command.ts'
import type { PastLook } from '../../src/domain/history/look.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { Locks } from '../../src/domain/session/snapshot.ts'
import { checkView, clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { randomLooks } from '../support/looks.ts'

/** Half past four in Berlin: the record of an hour, whose end is now. */
const now = of.takenAt + 3_600_000
const minute = 60_000

const hostile = [
  '<!channel> *bold* <https://evil.example|ok>\u202egnp.exe\u0000\nSecond line & more',
  '',
  ' ',
  'é'.repeat(63),
  'a\nb',
  '`',
  '…',
]

const unused = () => expect.fail('waits are read look by look')

/** A record of these looks, every five seconds where none other is said. */
const recordOf = (looks: readonly PastLook[], everyMs = 5000): PastLooks => ({
  async at(_, at) {
    const index = looks.findLastIndex(({ takenAt }) => takenAt <= at)
    const look = looks[index]
    return {
      found: look ? { look, everyMs } : null,
      before: looks[index - 1]?.takenAt ?? null,
      after: looks[index + 1]?.takenAt ?? null,
    }
  },
  async *each(_, from, to) {
    for (const look of looks) if (look.takenAt >= from && look.takenAt <= to) yield { look, everyMs }
  },
  between: unused,
  changeBefore: unused,
  changeAfter: unused,
})

const lookAt = (
  takenAt: number,
  sessions: readonly Session[],
  { locks = { kind: 'none' }, texts = [] }: { locks?: Locks; texts?: readonly [number, string][] } = {},
): PastLook => ({
  takenAt,
  snapshot: { ...of.snapshot(sessions), takenAt, locks, texts: new Map(texts) },
})

/** Looks from a minute of the hour to another, every five seconds. */
const every5s = (from: number, to: number, look: (at: number) => PastLook): PastLook[] =>
  Array.from({ length: ((to - from) * minute) / 5000 }, (_, n) => look(of.takenAt + from * minute + n * 5000))

async function ask(
  typed: string,
  record: PastLooks | null,
  { several = false, timeZone = 'Europe/Berlin' } = {},
) {
  const command = parseCommand(typed)
  if (command.kind === 'problem') throw new Error(command.message)
  const unreachable = async () => {
    throw new Error('a past is told without a look')
  }
  const watched = (name: string) => ({
    config: clusterConfig(name, { channel: `C0${name}` }),
    cluster: pictureCluster(of.picture([]), [], { snapshot: unreachable }),
  })
  const answers = createAnswers({
    clusters: watching(watched('orders'), ...(several ? [watched('billing')] : [])),
    ...{ past: null, record, top: createTop(), directory: null, now: () => now },
  })
  const { view, failed } = await answers(command as Question, null, {
    ...{ typed, sees: new Set(['orders', 'billing']) },
    timeZone: async () => timeZone,
  })
  checkView(view)
  return { view, text: view.text.replaceAll('\u00a0', ' '), failed }
}

const jam: Locks = {
  kind: 'read',
  table: of.lockTable([
    of.held(of.relation('public.stock'), 'AccessShareLock', 9),
    of.wanted(of.relation('public.stock'), 'AccessExclusiveLock', [1, 3], [2, 2]),
  ]),
}
const calm = (at: number) => lookAt(at, [of.session(3, { applicationName: 'web' }), of.idle(4, 60)])
const jammed = (at: number) =>
  lookAt(
    at,
    [
      of.waiting(1, 3, { applicationName: 'checkout' }),
      of.waiting(2, 2, { applicationName: '' }),
      of.session(3, { waitEventType: 'IO', waitEvent: 'DataFileRead' }),
      of.idleInTransaction(9, 60),
    ],
    {
      locks: jam,
      texts: [
        [1, 'UPDATE stock SET n = ?'],
        [2, 'UPDATE stock SET n = ?'],
        [3, 'SELECT ?'],
      ],
    },
  )

describe('/pg waits', () => {
  it('says what dominated, draws it over time, and ranks who waited most', async () => {
    const looks = [...every5s(0, 20, calm), ...every5s(20, 40, jammed), ...every5s(40, 60, calm)]
    const { text, view } = await ask('waits', recordOf(looks))
    expect(text).toMatchInlineSnapshot(`
      "Waits on orders, the last 1 h
      Sessions mostly waited, most of all for locks (Lock): 2,400 of 6,000 active session-seconds (40 %), at most 2 sessions at once, at 04:20:00.
      Active sessions by what they wait for
      Time (Europe/Berlin) | Lock | working | IO
      04:00 | 0 | 1 | 0
      04:05 | 0 | 1 | 0
      04:10 | 0 | 1 | 0
      04:15 | 0 | 1 | 0
      04:20 | 2 | 0 | 1
      04:25 | 2 | 0 | 1
      04:30 | 2 | 0 | 1
      04:35 | 2 | 0 | 1
      04:40 | 0 | 1 | 0
      04:45 | 0 | 1 | 0
      04:50 | 0 | 1 | 0
      04:55 | 0 | 1 | 0
      Statement | UPDATE stock SET n = ? | 2,400 | 67 %
      Statement | SELECT ? | 1,200 | 33 %
      Application | no application name | 1,200 | 33 %
      Application | checkout | 1,200 | 33 %
      Application | web | 1,200 | 33 %
      Relation | public.stock | 2,400 | 67 %
      Times are those of Europe/Berlin. A look counts for the time until the next one."
    `)
    expect(view.blocks.map(({ type }) => type)).toEqual([
      'header',
      'rich_text',
      'data_visualization',
      'table',
      'rich_text',
      'actions',
      'actions',
    ])
    // A press shows that look, wherever the reader's clock stands.
    const buttons = JSON.stringify(view.blocks.filter(({ type }) => type === 'actions'))
    expect(buttons).toContain('Who blocked whom at 04:20:00')
    expect(buttons).toContain('at 2026-03-01T03:20:00Z')
    expect(buttons).not.toContain('--cluster')
  })

  it('counts the sessions that match, and says when none does', async () => {
    const looks = [...every5s(0, 50, jammed), ...every5s(50, 60, calm)]
    const { text } = await ask('waits --app check', recordOf(looks))
    expect(text).toContain('Mostly waits for locks (Lock): 3,000 of 3,000 active session-seconds (100 %)')
    expect(text).toContain('Counted are sessions that match --app check.')
    expect(text).toContain('Application | checkout | 3,000 | 100 %')
    expect(text).not.toContain('no application name')
    const none = await ask('waits --user nobody --cluster orders', recordOf(looks), { several: true })
    expect(none.text).toContain(
      'No session matched --user nobody in that time. For all: /pg waits --cluster orders',
    )
    expect(none.view.blocks.some(({ type }) => type === 'data_visualization')).toBe(false)
    const several = await ask('waits --cluster orders', recordOf(looks), { several: true })
    expect(JSON.stringify(several.view.blocks)).toContain('at 2026-03-01T03:00:00Z --cluster orders')
    expect((await ask('waits --db orders --user shop', recordOf(looks))).text).toContain(
      'Relation | public.stock',
    )
  })

  it('never takes what was not seen for calm', async () => {
    const blind = (at: number): PastLook => ({ takenAt: at, unseen: 'the server refuses connections.' })
    const looks = [...every5s(0, 10, jammed), ...every5s(10, 22, blind), ...every5s(40, 60, jammed)]
    const { text, view } = await ask('waits', recordOf(looks))
    expect(text).toContain(
      'Not seen for 30 min: 04:10:00 to 04:22:07 (the server refuses connections); 04:22:07 to 04:40:00.',
    )
    expect(text).toContain('The chart leaves that out, and marks what follows with …')
    const chart = view.blocks.find((block) => block.type === 'data_visualization')
    expect(chart?.chart.axis_config.categories).toEqual([
      ...['04:00', '04:05', '… 04:40', '04:45', '04:50', '04:55'],
    ])
    // On average over what was seen.
    expect(chart?.chart.series[0]).toMatchObject({ name: 'Lock', data: Array(6).fill({ value: 2 }) })
    const none = await ask('waits --since 5m', recordOf([...every5s(0, 60, blind)]))
    expect(none.text).toContain('Nothing was seen in that time, so nobody knows who waited.')
    expect(none.view.blocks.some(({ type }) => type === 'data_visualization')).toBe(false)
  })

  it('says where the locks were not read, and where others are hidden', async () => {
    const storm = (at: number) =>
      lookAt(at, [of.waiting(1, 3)], { locks: { kind: 'jammed', why: '', last: null, lastTakenAt: null } })
    const { text } = await ask('waits', recordOf([...every5s(0, 45, calm), ...every5s(45, 60, storm)]))
    expect(text).toContain('Partly seen for 15 min: the locks could not be read')
    const hidden = every5s(0, 60, calm).map((look) =>
      'snapshot' in look
        ? {
            ...look,
            snapshot: { ...look.snapshot, server: { ...look.snapshot.server, seesOthers: false } },
          }
        : look,
    )
    expect((await ask('waits', recordOf(hidden))).text).toMatch(
      /Nothing was seen .*\nNot seen for 1 h: .* \(pg-marshal may not see what other sessions do\)/,
    )
  })

  it('reaches back as far as the record, and says how far', async () => {
    const { text, view } = await ask('waits --since 30d', recordOf(every5s(30, 60, jammed)))
    expect(text).toContain('The record begins at 04:30:00: what was before is not known.')
    expect(JSON.stringify(view.blocks)).not.toContain('Not seen')
    expect(text).toContain('04:30 | 2 | 1')
    expect((await ask('waits', recordOf([]))).text).toContain('Nothing is recorded of orders yet.')
    expect((await ask('waits', null)).text).toContain('Nothing is recorded here: history.keep is off')
  })

  it('tells a calm hour from one without sessions, and work from waits', async () => {
    const busy = (at: number) =>
      lookAt(at, [of.session(1), of.session(2), of.session(3, { waitEventType: 'IO' })])
    const read = async (look: (at: number) => PastLook) =>
      (await ask('waits', recordOf(every5s(0, 60, look)))).text
    expect(await read(busy)).toContain(
      'Sessions mostly worked, and waited most for reads and writes (IO): 3,600 of 10,800 active session-seconds (33 %), at most 1 session at once, at 04:00:00.',
    )
    expect(await read(calm)).toContain('Nobody waited: active sessions worked, 3,600 session-seconds in 1 h.')
    const { text, view } = await ask('waits', recordOf(every5s(0, 60, (at) => lookAt(at, [of.idle(1, 5)]))))
    expect(text).toContain('No session was active when I looked.')
    expect(view.blocks.map(({ type }) => type)).toEqual(['header', 'rich_text', 'rich_text', 'actions'])
    expect(await read((at) => lookAt(at, []))).toContain('There was no session in that time.')
  })

  it('writes the day where a time of day may be that of two days, on the clock of who asks', async () => {
    const day = Array.from({ length: 24 * 6 }, (_, n) => jammed(now - (24 * 6 - n) * 10 * minute))
    const { text } = await ask('waits --since 24h', recordOf(day, 10 * minute), {
      timeZone: 'America/New_York',
    })
    expect(text).toContain('Time (America/New_York) | Lock | IO\n27 Feb 23:00 | 2 | 1\n28 Feb 01:00 | 2 | 1')
    expect((await ask('waits', recordOf(day, 10 * minute), { timeZone: 'Nowhere' })).text).toContain(
      'Time (UTC) | Lock | IO\n03:00 | 2 | 1',
    )
  })

  it('is such that Slack takes it, whatever was recorded', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomLooks(now - 60_000),
        fc.constantFrom('waits', 'waits --since 1m', 'waits --since 2s --app web', 'waits --since 3d --db a'),
        async (looks, typed) => {
          await ask(typed, recordOf(looks))
        },
      ),
      { numRuns: 200 },
    )
    const names = hostile.map((name, index) =>
      of.waiting(index + 1, 2, { applicationName: name, waitEventType: name, waitEvent: name }),
    )
    const texts = hostile.map((text, index): [number, string] => [index + 1, text.repeat(50)])
    await ask('waits', recordOf(every5s(0, 60, (at) => lookAt(at, names, { texts }))))
  })
})

it.each([
  ['waits', { sinceMs: 3_600_000, filters: {}, cluster: null }],
  ['waits --since 1s', { sinceMs: 1000, filters: {}, cluster: null }],
  [
    'Waits --since 1d --user shop --app "two words" --db=orders --cluster eu',
    { sinceMs: 86_400_000, filters: { user: 'shop', app: 'two words', db: 'orders' }, cluster: 'eu' },
  ],
])('%s is read', (typed, expected) => {
  expect(parseCommand(typed)).toEqual({ kind: 'waits', ...expected })
})

it.each([
  ['waits 4312', '`waits` takes `--since` and names of sessions'],
  ['waits --since', '`--since` needs a value: write `--since 12h`'],
  ['waits --since 60', '`--since`: A duration needs a unit'],
  ['waits --since 0s', '`--since`: write at least `1s`.'],
  ['waits --older 5m', '`waits` takes no `--older`'],
])('%s is not', (typed, message) => {
  expect(parseCommand(typed)).toMatchObject({ kind: 'problem', message: expect.stringContaining(message) })
})
