import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../src/commands/command.ts'
import { historyPage } from '../../src/commands/pastCommand.ts'
import { type Filters, filterWords, stateFilters } from '../../src/domain/lists/filters.ts'
import { startCpu } from '../support/cpu.ts'

const message = (typed: string): string => {
  const parsed = parseCommand(typed)
  return parsed.kind === 'problem' ? parsed.message : JSON.stringify(parsed)
}

describe('parseCommand', () => {
  it.each(['', '   ', '\u00a0', 'overview', 'Overview'])('%j is the overview', (typed) => {
    expect(parseCommand(typed)).toEqual({ kind: 'overview' })
  })

  it.each(['help', 'HELP', 'help sessions'])('%j is help', (typed) => {
    expect(parseCommand(typed)).toEqual({ kind: 'help' })
  })

  it.each([
    ['sessions', { kind: 'sessions', filters: {}, cluster: null }],
    ['  Blocking ', { kind: 'blocking', filters: {}, cluster: null }],
    ['long --older 90s', { kind: 'long', filters: { olderSeconds: 90 }, cluster: null }],
    ['idle --older 1h30m', { kind: 'idle', filters: { olderSeconds: 5400 }, cluster: null }],
    ['clusters', { kind: 'clusters' }],
    ['at 14:05', { kind: 'at', time: '14:05', show: null, filters: {}, cluster: null }],
    [
      'at yesterday 23:10 Sessions --app web --cluster eu',
      { kind: 'at', time: 'yesterday 23:10', show: 'sessions', filters: { app: 'web' }, cluster: 'eu' },
    ],
    [
      'at --state idle in transaction blocking 20 min ago',
      {
        kind: 'at',
        time: '20 min ago',
        show: 'blocking',
        filters: { state: 'idle in transaction' },
        cluster: null,
      },
    ],
    [
      'at “2026-03-01 14:05:30” --older 5m --db orders --user shop',
      {
        kind: 'at',
        time: '2026-03-01 14:05:30',
        show: null,
        filters: { olderSeconds: 300, db: 'orders', user: 'shop' },
        cluster: null,
      },
    ],
    ['clusters Eu-', { kind: 'clusters', part: 'eu-' }],
    ['activity --app web', { kind: 'activity', filters: { app: 'web' }, cluster: null }],
    ['top', { kind: 'top', sinceReset: false, all: false, filters: {}, cluster: null }],
    [
      'top --db orders TOTAL --user shop --cluster eu',
      { kind: 'top', sinceReset: true, all: false, filters: { db: 'orders', user: 'shop' }, cluster: 'eu' },
    ],
    ['locks --cluster=eu', { kind: 'locks', about: null, cluster: 'eu' }],
    ['locks 4312', { kind: 'locks', about: { pid: 4312 }, cluster: null }],
    ['locks Orders', { kind: 'locks', about: { relation: { schema: null, name: 'orders' } }, cluster: null }],
    ['locks "4312"', { kind: 'locks', about: { relation: { schema: null, name: '4312' } }, cluster: null }],
    [
      'locks sales.“Order Items” --cluster eu',
      { kind: 'locks', about: { relation: { schema: 'sales', name: 'Order Items' } }, cluster: 'eu' },
    ],
    [
      'locks "My Schema"."Order Items"',
      { kind: 'locks', about: { relation: { schema: 'My Schema', name: 'Order Items' } }, cluster: null },
    ],
    [
      'snooze blocking 30m deploy',
      {
        kind: 'snooze',
        about: { findingKind: 'blocking' },
        forMs: 1_800_000,
        reason: 'deploy',
        cluster: null,
      },
    ],
    [
      'snooze 3f2a9c1b',
      { kind: 'snooze', about: { card: '3f2a9c1b' }, forMs: 1_800_000, reason: '', cluster: null },
    ],
    [
      'unsnooze IDLE --cluster orders',
      { kind: 'unsnooze', about: { findingKind: 'idle' }, cluster: 'orders' },
    ],
    ['quiet', { kind: 'quiet', forMs: null, reason: '', cluster: null }],
    ['quiet off', { kind: 'quiet', forMs: 0, reason: '', cluster: null }],
    ['quiet 2h new index', { kind: 'quiet', forMs: 7_200_000, reason: 'new index', cluster: null }],
    ['top all total', { kind: 'top', sinceReset: true, all: true, filters: {}, cluster: null }],
    ['oncall', { kind: 'oncall' }],
    ['oncall --cluster eu', { kind: 'oncall', cluster: 'eu' }],
    ['advise', { kind: 'advise', sinceMs: 604_800_000, cluster: null }],
    ['advise --since 30d --cluster orders', { kind: 'advise', sinceMs: 2_592_000_000, cluster: 'orders' }],
    ['stats', { kind: 'stats', sinceMs: 2_592_000_000 }],
    ['STATS --since 12h --cluster orders', { kind: 'stats', sinceMs: 43_200_000, cluster: 'orders' }],
    ['history', { kind: 'history', pid: null, card: null, sinceMs: 86_400_000, page: 1 }],
    ['history --since 12h', { kind: 'history', pid: null, card: null, sinceMs: 43_200_000, page: 1 }],
    [
      'history 4312 --cluster orders',
      { kind: 'history', pid: 4312, card: null, sinceMs: 86_400_000, page: 1, cluster: 'orders' },
    ],
    ['history 4312', { kind: 'history', pid: 4312, card: null, sinceMs: 86_400_000, page: 1 }],
    ['history 3F2A9C1B', { kind: 'history', pid: null, card: '3f2a9c1b', sinceMs: 86_400_000, page: 1 }],
    ['history 12345678', { kind: 'history', pid: null, card: '12345678', sinceMs: 86_400_000, page: 1 }],
    [
      'history 3f2a9c1b-0000-4000-8000-000000000001',
      {
        kind: 'history',
        pid: null,
        card: '3f2a9c1b-0000-4000-8000-000000000001',
        sinceMs: 86_400_000,
        page: 1,
      },
    ],
    ['health', { kind: 'health', cluster: null }],
    ['health --cluster eu', { kind: 'health', cluster: 'eu' }],
    ['session 4312', { kind: 'session', pid: 4312, cluster: null }],
    ['session --cluster orders 4312', { kind: 'session', pid: 4312, cluster: 'orders' }],
    ['session 2147483647', { kind: 'session', pid: 2147483647, cluster: null }],
    ['cancel 12', { kind: 'cancel', pid: 12, reason: null, cluster: null }],
    ['terminate 12 it is stuck', { kind: 'terminate', pid: 12, reason: 'it is stuck', cluster: null }],
    ['cancel 12 it’s  "slow"', { kind: 'cancel', pid: 12, reason: 'it’s slow', cluster: null }],
    [
      'terminate --older 1s',
      { kind: 'terminate', filters: { olderSeconds: 1 }, reason: null, cluster: null },
    ],
    [
      'cancel --app web --older 1ms slow',
      { kind: 'cancel', filters: { app: 'web', olderSeconds: 0.001 }, reason: 'slow', cluster: null },
    ],
    ["cancel 12 'tis slow", { kind: 'cancel', pid: 12, reason: "'tis slow", cluster: null }],
    [
      'terminate 12 stuck — ask —dana',
      { kind: 'terminate', pid: 12, reason: 'stuck — ask —dana', cluster: null },
    ],
    ['terminate --cluster eu 12 x', { kind: 'terminate', pid: 12, reason: 'x', cluster: 'eu' }],
    ['terminate 12 x --cluster=eu y', { kind: 'terminate', pid: 12, reason: 'x y', cluster: 'eu' }],
    [
      'cancel 7 ask <@U123|dana> in <#C1|ops>',
      { kind: 'cancel', pid: 7, reason: 'ask @dana in #ops', cluster: null },
    ],
    [
      'cancel 7 a &lt; b &amp;&amp; <https://x.example|x.example>',
      { kind: 'cancel', pid: 7, reason: 'a < b && x.example', cluster: null },
    ],
  ])('%j', (typed, command) => {
    expect(parseCommand(typed)).toEqual(command)
  })

  it.each([
    ['--db orders', { db: 'orders' }],
    ['--DB=Orders', { db: 'Orders' }],
    ['—db orders', { db: 'orders' }],
    ['–db=orders', { db: 'orders' }],
    ['-db orders', { db: 'orders' }],
    ['--app "two words" --user shop', { app: 'two words', user: 'shop' }],
    ['--app=“two words”', { app: 'two words' }],
    ['--app ‘two words’', { app: 'two words' }],
    ["--app=O'Brien", { app: "O'Brien" }],
    ["--app='O'Brien'", { app: "O'Brien" }],
    ['--app "--odd"', { app: '--odd' }],
    ['--app\u00a0web\u2003--user\u00a0shop', { app: 'web', user: 'shop' }],
    ['--app <http://shop.example|shop.example>', { app: 'shop.example' }],
    ['--user <mailto:dana@shop.example|dana@shop.example>', { user: 'dana@shop.example' }],
    ['--app a&amp;b', { app: 'a&b' }],
    ['--older 5M', { olderSeconds: 300 }],
    ['--state active', { state: 'active' }],
    ['--state IDLE', { state: 'idle' }],
    ['--state idle-in-transaction', { state: 'idle in transaction' }],
    ['--state idle_in_transaction', { state: 'idle in transaction' }],
    ['--state idle in transaction --db x', { state: 'idle in transaction', db: 'x' }],
    ['--state "idle in transaction"', { state: 'idle in transaction' }],
    ['--state idle in transaction (aborted)', { state: 'idle in transaction (aborted)' }],
    ['--state waiting', { state: 'waiting' }],
  ])('sessions %j', (typed, filters) => {
    expect(parseCommand(`sessions ${typed}`)).toEqual({ kind: 'sessions', filters, cluster: null })
  })

  it.each([
    ['sesions', 'I do not know the command `sesions`. Did you mean `sessions`?'],
    ['block', 'I do not know the command `block`. Did you mean `blocking`?'],
    [
      'at',
      '`at` needs a time that is over: type `/pg at 14:05`, `/pg at yesterday 23:10` or `/pg at 20 min ago`.',
    ],
    [
      'at sessions',
      '`at` needs a time that is over: type `/pg at 14:05`, `/pg at yesterday 23:10` or `/pg at 20 min ago`.',
    ],
    [
      'at 14:05 --state sleeping',
      'There is no state `sleeping`. Write `active`, `idle`, `idle-in-transaction` or `waiting`.',
    ],
    [
      'at 14:05 --since 1h',
      '`at` takes no `--since`, only `--db`, `--user`, `--app`, `--state`, `--older`, `--cluster`.',
    ],
    ['kill 12', 'I do not know the command `kill`. Did you mean `terminate`?'],
    ['blocked', 'I do not know the command `blocked`. Did you mean `blocking`?'],
    ['lock', 'I do not know the command `lock`. Did you mean `locks`?'],
    ['queries', 'I do not know the command `queries`. Did you mean `top`?'],
    ['top --app web', '`top` takes no `--app`, only `--db`, `--user`, `--cluster`.'],
    [
      'top total total',
      '`top` takes `--db`, `--user`, and the words `total` (everything since the last reset) and `all` (also what drivers and I run on our own): type `/pg top total`.',
    ],
    [
      'top 10',
      '`top` takes `--db`, `--user`, and the words `total` (everything since the last reset) and `all` (also what drivers and I run on our own): type `/pg top total`.',
    ],
    [
      'locks 99999999999',
      '`99999999999` is not a PID (a whole number from 1 to 2147483647): type `/pg locks 4312` with a PID from `/pg sessions`.',
    ],
    [
      'locks a.b.c',
      '`a.b.c` is neither a PID nor the name of a relation: type `/pg locks`, `/pg locks 4312`, `/pg locks orders`, or `/pg locks sales.orders` with its schema.',
    ],
    ['locks --db x', '`locks` takes no `--db`, only `--cluster`.'],
    ['constructor', 'I do not know the command `constructor`. Type `/pg help` for the commands.'],
    ['vacuum', 'I do not know the command `vacuum`. Did you mean `health`?'],
    ['deadlocks', 'I do not know the command `deadlocks`. Did you mean `health`?'],
    ['helth', 'I do not know the command `helth`. Did you mean `health`?'],
    ['advise shop', '`advise` takes `--since` and `--cluster`: type `/pg advise --since 30d`.'],
    ['advise --app web', '`advise` takes no `--app`, only `--since`, `--cluster`.'],
    ['health 4312', '`health` shows all of it and takes nothing but `--cluster`: type `/pg health`.'],
    ['health --db x', '`health` takes no `--db`, only `--cluster`.'],
    ['4312', 'Did you mean `session 4312`? Type `/pg help` for all commands.'],
    ['<!channel> `rm`', 'I do not know the command `@channel`. Type `/pg help` for the commands.'],
    ['session', '`session` needs a PID: type `/pg session 4312` with a PID from `/pg sessions`.'],
    ['session --cluster x', '`session` needs a PID: type `/pg session 4312` with a PID from `/pg sessions`.'],
    ...['abc', '-1', '0', '2147483648', '99999999999', '4312x', '１２', '1e3'].map(
      (pid): [string, string] => [
        `terminate ${pid}`,
        `\`${pid}\` is not a PID (a whole number from 1 to 2147483647): type \`/pg terminate 4312\` with a PID from \`/pg sessions\`.`,
      ],
    ),
    ['session 12 13', '`session` takes one PID: type `/pg session 12`.'],
    ['sessions web', '`sessions` does not take the word `web`: a filter is written like `--app web`.'],
    ['sessions 4312', '`sessions` takes no PID: type `/pg session 4312`.'],
    [
      'history yesterday',
      '`yesterday` is neither a PID nor an incident: type `/pg history`, `/pg history 4312`, or `/pg history 3f2a9c1b` with the id at the foot of a card.',
    ],
    [
      'history --since yesterday',
      '`--since`: This is not a duration: write 250ms, 30s, 5m, 1h, 2d or 1h30m.',
    ],
    [
      'history 1 2',
      '`history` takes one PID or one incident: type `/pg history`, `/pg history 4312`, or `/pg history 3f2a9c1b` with the id at the foot of a card.',
    ],
    [
      'snooze',
      '`snooze` needs a kind of trouble or an incident: type `/pg snooze blocking 30m`, or `/pg snooze 3f2a9c1b 1h` with the id at the foot of a card.',
    ],
    [
      'unsnooze',
      '`unsnooze` needs a kind of trouble or an incident: type `/pg unsnooze blocking`, or `/pg unsnooze 3f2a9c1b` with the id at the foot of a card.',
    ],
    [
      'snooze blokcing',
      '`blokcing` is neither a kind of trouble (unreachable, blocking, long, idle-in-transaction, idle, connections, storm, cycle, pools, deadlocks, prepared, vacuum, wraparound, slots) nor an incident. Did you mean `blocking`?',
    ],
    ['snooze blocking soon', '`soon`: This is not a duration: write 250ms, 30s, 5m, 1h, 2d or 1h30m.'],
    ['quiet 2h', 'Say why, so that everybody knows: type `/pg quiet 2h upgrade of the web shop`.'],
    [
      'quiet 30d vacation',
      'From one second to 7 days: type `/pg quiet 2h reason`, `/pg quiet off`, or `/pg quiet` to see what is silent.',
    ],
    [
      'clusters a b',
      '`clusters` takes a part of a name at most: type `/pg clusters` or `/pg clusters orders`.',
    ],
    ['sessions --usr x', 'I do not know `--usr`. Did you mean `--user`?'],
    ['sessions --database x', 'I do not know `--database`. Did you mean `--db`?'],
    [
      'sessions --toString x',
      'I do not know `--tostring`. `sessions` takes `--db`, `--user`, `--app`, `--state`, `--older`, `--cluster`.',
    ],
    ['session 12 --db x', '`session` takes no `--db`, only `--cluster`.'],
    ['sessions --db a --db b', '`--db` stands there twice: give it once.'],
    ['sessions --db', '`--db` needs a value: write `--db orders`.'],
    ['sessions --db=', '`--db` needs a value: write `--db orders`.'],
    ['sessions --db --user x', '`--db` needs a value: write `--db orders`.'],
    ['sessions --app "two words', 'The quote after `--app` is never closed: write `--app "two words"`.'],
    ['long --older 5', '`--older 5`: A duration needs a unit (ms, s, m, h or d): write 30s, 5m or 1h30m.'],
    ['long --older soon', '`--older soon`: This is not a duration: write 250ms, 30s, 5m, 1h, 2d or 1h30m.'],
    ['sessions --state actve', 'There is no state `actve`. Did you mean `--state active`?'],
    [
      'sessions --state happy',
      'There is no state `happy`. Write `active`, `idle`, `idle-in-transaction` or `waiting`.',
    ],
    ['terminate 12 x --clutser eu', 'I do not know `--clutser`. Did you mean `--cluster`?'],
    [
      'terminate --db x 12',
      '`terminate` takes a PID or filters, not both: type `/pg terminate 12`, or leave the PID out.',
    ],
    [
      'terminate --older 0s x',
      'That leaves nobody out: give a filter that does, like `/pg terminate --app web --state idle --older 10m`.',
    ],
    [
      'terminate --older 999ms x',
      'That leaves nobody out: give a filter that does, like `/pg terminate --app web --state idle --older 10m`.',
    ],
    [
      'terminate --app * --user * x',
      'That leaves nobody out: give a filter that does, like `/pg terminate --app web --state idle --older 10m`.',
    ],
    [
      'cancel --app web --older 5',
      '`--older 5`: A duration needs a unit (ms, s, m, h or d): write 30s, 5m or 1h30m.',
    ],
    [
      'terminate --app web leak --force',
      'I do not know `--force`. `terminate` takes `--db`, `--user`, `--app`, `--state`, `--older`, `--cluster`.',
    ],
    ['terminate 12 --cluster a --cluster b', '`--cluster` stands there twice: give it once.'],
    [
      `cancel 12 ${'x'.repeat(600)}`,
      'The reason is too long: say it in 500 characters, and the rest in the thread.',
    ],
  ])('%j: %s', (typed, sentence) => {
    expect(message(typed)).toBe(sentence)
  })

  it('never throws, and repeats little of what was typed', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'sessions',
        'session',
        'terminate',
        'locks',
        'top',
        '--db',
        '—state',
        '=',
        '"',
        '“',
        "'",
        '<',
        '>',
        '&lt;',
        '12',
        ' ',
        '\u00a0',
        '`',
      ),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, spaced) => {
        const parsed = parseCommand(pieces.join(spaced ? ' ' : ''))
        if (parsed.kind !== 'problem') return
        expect(parsed.message.length).toBeLessThan(220)
        expect(parsed.message).not.toMatch(/[<>\n]/)
        expect(parsed.message.split('`').length % 2).toBe(1)
      }),
      { numRuns: 2000 },
    )
  })

  it('takes long input in little time', () => {
    const cpu = startCpu()
    for (const part of ['"', '<', '--a="', '<@', "'a ", '—', '&lt;'])
      parseCommand(`terminate 1 ${part.repeat(100_000)}`)
    expect(cpu()).toBeLessThan(1000)
  })

  it('reads back the filters that an answer offers', () => {
    const name = fc
      .stringMatching(/^[a-zA-Z0-9_ .:"'@/—-]{1,20}$/)
      .filter(
        (value) =>
          value.trim() === value &&
          value !== '' &&
          !(value.includes('"') && value.includes("'")) &&
          !/["'] /.test(value) &&
          !/ {2}/.test(value),
      )
    fc.assert(
      fc.property(
        fc.record(
          {
            db: name,
            user: name,
            app: name,
            state: fc.constantFrom(...stateFilters),
            olderSeconds: fc.integer({ min: 1, max: 1e6 }),
          },
          { requiredKeys: [] },
        ),
        (filters: Filters) => {
          expect(parseCommand(`sessions ${filterWords(filters)}`)).toEqual({
            kind: 'sessions',
            filters,
            cluster: null,
          })
        },
      ),
    )
  })
})

it('turns the page of a history however it was typed', () => {
  for (const typed of [
    'history',
    'history --since 36h',
    'history —page 2',
    'history -page=2 --cluster "EU 1"',
    'history --page "2"',
  ]) {
    const asked = parseCommand(typed)
    if (asked.kind !== 'history') throw new Error(typed)
    expect(parseCommand(historyPage(asked, 7))).toEqual({ ...asked, page: 7 })
  }
})
