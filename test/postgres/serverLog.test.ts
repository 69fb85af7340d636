import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMasker } from '../../src/domain/text/mask.ts'
import { deadlocksIn } from '../../src/postgres/serverLog.ts'

const mask = createMasker('masked')
const detail = (words: { waits: string; head: (pid: number) => string }, statement: string) =>
  [
    `${words.head(41)} ${words.waits} 743; … 42.`,
    `${words.head(42)} ${words.waits} 742; … 41.`,
    `${words.head(41)}: ${statement}`,
    `${words.head(42)}: UPDATE accounts SET owner = 'secret' WHERE id = 1`,
  ].join('\n')
const english = { waits: 'waits for ShareLock on transaction', head: (pid: number) => `Process ${pid}` }

/** As the server writes it (15 and newer). */
const jsonLine = (over: Record<string, unknown> = {}) =>
  `${JSON.stringify({
    timestamp: '2026-03-01 02:58:11.042 CET',
    user: 'shop',
    dbname: 'orders',
    pid: 41,
    error_severity: 'ERROR',
    state_code: '40P01',
    message: 'deadlock detected',
    detail: detail(english, "UPDATE accounts SET owner = 'secret' WHERE id = 2"),
    statement: "UPDATE accounts SET owner = 'secret' WHERE id = 2",
    application_name: 'transfer-a',
    backend_type: 'client backend',
    ...over,
  })}\n`

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
const csvRecord = (over: { sqlstate?: string; detail?: string; statement?: string } = {}) => {
  const { sqlstate = '40P01', statement = "UPDATE accounts SET owner = 'secret' WHERE id = 2" } = over
  const fields = [
    ...['2026-03-01 02:58:11.042 CET', '"shop"', '"orders"', '41', '"127.0.0.1:5000"', '65e1a2b3.29', '7'],
    ...['"UPDATE"', '2026-03-01 02:50:00 CET', '3/12', '742', 'ERROR', sqlstate, '"deadlock detected"'],
    ...[quoted(over.detail ?? detail(english, statement)), '"See server log for query details."', '', ''],
    ...['"while updating tuple (0,1) in relation ""accounts"""', quoted(statement), '', '', '"transfer-a"'],
    ...['"client backend"', '', '0'],
  ]
  return `${fields.join(',')}\n`
}

const read = (format: 'jsonlog' | 'csvlog', text: string, isWhole = true) =>
  deadlocksIn(Buffer.from(text), format, isWhole, mask)

const told = {
  at: '2026-03-01 02:58:11.042 CET',
  database: 'orders',
  user: 'shop',
  applicationName: 'transfer-a',
  pid: 41,
  pids: [41, 42],
  statement: 'UPDATE accounts SET owner = ? WHERE id = ?',
}

describe.each([
  ['jsonlog', jsonLine, (sqlstate: string) => jsonLine({ state_code: sqlstate, detail: '40P01' })],
  ['csvlog', csvRecord, (sqlstate: string) => csvRecord({ sqlstate })],
] as const)('%s', (format, entry, other) => {
  it('tells a deadlock with who was in it, and the masked statement that was ended', () => {
    expect(read(format, other('23505') + entry() + other('57014'))).toEqual([told])
  })

  it('reads what begins in the middle of an entry', () => {
    const text = other('23505') + entry() + entry()
    for (const cut of [1, 40, 200, other('23505').length - 3])
      expect(read(format, text.slice(cut), false)).toEqual([told, told])
    // The collector writes whole entries, so half of one at the end is hardly ever seen.
    expect(read(format, text.slice(0, -5))).toEqual(format === 'jsonlog' ? [told] : [])
    expect(read(format, '')).toEqual([])
    expect(read(format, 'no log at all\n')).toEqual([])
  })

  it('goes by the code and not by the message', () => {
    expect(read(format, other('00000'))).toEqual([])
  })

  it('lets nothing out but names, pids and the masked statement, whatever stands in it', () => {
    const bits = fc.constantFrom(
      ...[
        "'",
        '"',
        '""',
        ',',
        '\n',
        'Process 41: ',
        'Process 77: 77',
        'x',
        ' ',
        '$$',
        '--',
        '40P01',
        '{',
        '\\',
      ],
    )
    fc.assert(
      fc.property(fc.array(bits), fc.nat(400), (parts, cut) => {
        const statement = `SELECT 'secret ${parts.join('').replaceAll("'", "''")} secret', 2`
        const written =
          format === 'jsonlog'
            ? jsonLine({ statement, detail: detail(english, statement) })
            : csvRecord({ statement, detail: detail(english, statement) })
        const reports = read(format, (written + entry()).slice(cut), cut === 0)
        expect(reports.length).toBeGreaterThan(0)
        expect(JSON.stringify(reports)).not.toContain('secret')
        for (const { pids } of reports) expect(pids).toEqual([41, 42])
      }),
    )
  })
})

describe('who was in it', () => {
  it.each([
    [
      'German',
      { waits: 'wartet auf ShareLock-Sperre auf Transaktion', head: (pid: number) => `Prozess ${pid}` },
    ],
    ['French', { waits: 'attend ShareLock sur transaction', head: (pid: number) => `Le processus ${pid} ` }],
    ['Japanese', { waits: 'はトランザクションのShareLockを待機', head: (pid: number) => `プロセス ${pid}` }],
  ])('finds the pids in %s', (_, words) => {
    expect(read('jsonlog', jsonLine({ detail: detail(words, 'SELECT 1') }))[0]?.pids).toEqual([41, 42])
  })

  it('is left out where the entry does not name it', () => {
    for (const bad of ['', 'something else', 'Process 41: SELECT 1', 41, null])
      expect(read('jsonlog', jsonLine({ detail: bad }))[0]?.pids).toEqual([])
  })
})

it('ignores CSV that is not a server log', () => {
  expect(read('csvlog', `${'a,'.repeat(12)}40P01\n`)).toEqual([])
  expect(read('csvlog', csvRecord().replace('65e1a2b3.29', 'no session'))).toEqual([])
})

it('csv that only looks like entries from inside of a statement is not taken for them', () => {
  const inside = `SELECT '\n${csvRecord({ statement: "secret', 'secret'" })}'`
  const text = csvRecord({ statement: inside, detail: '' }) + csvRecord()
  const reports = read('csvlog', text.slice(10), false)
  expect(JSON.stringify(reports)).not.toContain('secret')
  expect(reports.at(-1)).toEqual(told)
})
