import { readdirSync, readFileSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { openStore } from '../../src/store/store.ts'
import { auditExport, auditVerify, parseHead, parseMoment } from '../../src/terminal/audit.ts'

const rows = 8
const day = Date.UTC(2026, 2, 1)
type InSqlite = Config & { readonly store: { readonly kind: 'sqlite'; readonly path: string } }

let directory: string
let config: InSqlite
let heads: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-audit-'))
  config = { store: { kind: 'sqlite', path: join(directory, 'store.db') } } as InSqlite
  const store = await openStore(config.store)
  heads = []
  for (let n = 0; n < rows; n++) {
    const event = { kind: 'denied', actor: 'U1', proposalId: `p${n}`, reason: `reason ${n}` } as const
    heads.push((await store.journal.append(day + n * 60_000, `card-${n}`, event)).hash)
  }
  await store.close()
})
afterEach(() => rm(directory, { recursive: true }))

const tamper = (sql: string) => {
  const database = new DatabaseSync(config.store.path)
  database.exec(sql)
  database.close()
}

async function verify(head: string | null = null) {
  let said = ''
  const out = { write: (text: string) => (said += text) }
  return { code: await auditVerify({ config, head, out, err: out }), said }
}

describe('audit verify', () => {
  it('finds an untouched journal as it was written, up to a posted head', async () => {
    expect(await verify()).toMatchObject({
      code: 0,
      said: expect.stringContaining(`8 rows, head ${heads.at(-1)}`),
    })
    expect(await verify(heads[3])).toMatchObject({ code: 0 })
    expect(await verify(heads[3]?.slice(0, 16))).toMatchObject({ code: 0 })
    expect(await verify(heads[3]?.slice(1, 17))).toMatchObject({ code: 1 })
  })

  test.each([
    [
      'its words',
      `UPDATE journal SET event = replace(event, 'reason 4', 'reason 5') WHERE seq = 5`,
      'row 5 was changed',
    ],
    ['its time', 'UPDATE journal SET at = at + 1 WHERE seq = 3', 'row 3 was changed'],
    ['its card', `UPDATE journal SET card_id = 'other' WHERE seq = 3`, 'row 3 was changed'],
    ['its kind', `UPDATE journal SET kind = 'approved' WHERE seq = 3`, 'row 3 was changed'],
    ['only white space', `UPDATE journal SET event = event || ' ' WHERE seq = 3`, 'row 3 was changed'],
    ['its hash', `UPDATE journal SET hash = '${'a'.repeat(64)}' WHERE seq = 1`, 'row 1 was changed'],
    ['a row removed', 'DELETE FROM journal WHERE seq = 4', 'row 4 was removed'],
    ['the first row removed', 'DELETE FROM journal WHERE seq = 1', 'row 1 was removed'],
    [
      'a row removed and the rest renumbered',
      'DELETE FROM journal WHERE seq = 4; UPDATE journal SET seq = seq - 1 WHERE seq > 4',
      'row 4 was changed',
    ],
    [
      'a row before the first',
      `INSERT INTO journal SELECT 0, at, card_id, kind, event, previous, hash FROM journal WHERE seq = 1`,
      'row 1 does not belong there',
    ],
    [
      'two rows exchanged',
      'UPDATE journal SET seq = 100 WHERE seq = 2; UPDATE journal SET seq = 2 WHERE seq = 3; UPDATE journal SET seq = 3 WHERE seq = 100',
      'row 2 was changed',
    ],
  ])('names the row when somebody changed %s', async (_, sql, expected) => {
    tamper(sql)
    expect(await verify()).toMatchObject({ code: 1, said: expect.stringContaining(expected) })
  })

  it('names the row after one that was put in with a fitting hash', async () => {
    // Somebody who knows how the chain is made rewrites row 5 and its hash, but not all that follows.
    const { chainHash } = await import('../../src/domain/approvals/journal.ts')
    const database = new DatabaseSync(config.store.path)
    const { card_id: cardId, ...row } = database
      .prepare('SELECT * FROM journal WHERE seq = 5')
      .get() as never as {
      seq: number
      at: number
      card_id: string
      kind: string
      event: string
      previous: string
    }
    const event = row.event.replace('reason 4', 'nothing happened')
    const { seq, at, kind, previous } = row
    database
      .prepare('UPDATE journal SET event = ?, hash = ? WHERE seq = 5')
      .run(event, chainHash({ seq, at, kind, previous, cardId, event }))
    database.close()
    expect(await verify()).toMatchObject({
      code: 1,
      said: expect.stringContaining('row 6 does not follow the row before it'),
    })
  })

  it('finds a cut end by the head that was posted', async () => {
    tamper('DELETE FROM journal WHERE seq > 5')
    expect((await verify()).code).toBe(0)
    for (const head of [heads[7], heads[7]?.slice(0, 16)])
      expect(await verify(head)).toMatchObject({
        code: 1,
        said: expect.stringContaining('removed or rewritten, after row 5'),
      })
  })

  it('takes a number that cannot be read for a change', async () => {
    tamper('UPDATE journal SET at = 9223372036854775807 WHERE seq = 3')
    expect(await verify()).toMatchObject({ code: 1, said: expect.stringContaining('cannot be read') })
  })

  describe('changes nothing', () => {
    /** Every file of a directory, with its bytes. */
    const bytesOf = (place: string) =>
      Object.fromEntries(
        readdirSync(place).map((name) => [name, readFileSync(join(place, name)).toString('base64')]),
      )
    const denied = { kind: 'denied', actor: 'U1', proposalId: 'p', reason: 'last' } as const

    it('of a store that was closed', async () => {
      const before = bytesOf(directory)
      expect(await verify(heads.at(-1))).toMatchObject({ code: 0 })
      expect(bytesOf(directory)).toEqual(before)
    })

    it('while the bot works with it, and sees its last row', async () => {
      const store = await openStore(config.store)
      try {
        const { hash } = await store.journal.append(day, null, denied)
        const before = bytesOf(directory)
        expect(Object.keys(before)).toContain('store.db-wal')
        expect(await verify(hash)).toMatchObject({ code: 0, said: expect.stringContaining('9 rows') })
        expect(bytesOf(directory)).toEqual(before)
      } finally {
        await store.close()
      }
    })

    it('of a copy whose last rows are in its WAL', async () => {
      const store = await openStore(config.store)
      const place = join(directory, 'evidence')
      await mkdir(place)
      const { hash } = await store.journal.append(day, null, denied)
      for (const part of ['', '-wal'])
        await copyFile(config.store.path + part, join(place, `store.db${part}`))
      await store.close()
      for (const name of readdirSync(place)) await chmod(join(place, name), 0o400)
      const before = bytesOf(place)
      config = { store: { kind: 'sqlite', path: join(place, 'store.db') } } as InSqlite
      expect(await verify(hash)).toMatchObject({ code: 0, said: expect.stringContaining('9 rows') })
      expect(bytesOf(place)).toEqual(before)
    })

    it('of what is no store, and says so by its own name', async () => {
      await writeFile(
        config.store.path,
        'no store at all, but long enough to be read as a page of one'.repeat(20),
      )
      const before = bytesOf(directory)
      const failure = await verify().catch((error: unknown) => error)
      expect(failure).toMatchObject({
        message: expect.stringContaining(`The store ${config.store.path} cannot`),
      })
      expect(bytesOf(directory)).toEqual(before)
    })

    it('keeps no copy', async () => {
      const copies = () => readdirSync(tmpdir()).filter((name) => name.startsWith('pg-marshal-copy-'))
      const before = copies()
      await verify()
      expect(copies().filter((name) => !before.includes(name))).toEqual([])
    })

    it('and sees one moment of a store that is written all the time', async () => {
      const store = await openStore(config.store)
      let writing = true
      const writer = (async () => {
        for (let n = 0; writing; n++) {
          await store.journal.append(day, null, { ...denied, reason: 'x'.repeat(n % 3000) })
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      })()
      try {
        for (let turn = 0; turn < 5; turn++) expect(await verify()).toMatchObject({ code: 0 })
      } finally {
        writing = false
        await writer
        await store.close()
      }
    })
  })

  it('says when there is no journal', async () => {
    config = { store: { kind: 'sqlite', path: join(directory, 'nothing.db') } } as InSqlite
    expect(await verify()).toMatchObject({ code: 2, said: expect.stringContaining('There is no store at') })
  })
})

describe('a posted head', () => {
  test.each([
    ['the whole hash', 'A'.repeat(64), 'a'.repeat(64)],
    ['its first 16 digits', '0123456789abcdef', '0123456789abcdef'],
    ['what was cut off in between', 'f'.repeat(40), 'f'.repeat(40)],
    ['too few digits', 'a'.repeat(15), null],
    ['too many', 'a'.repeat(65), null],
    ['another letter', `${'a'.repeat(15)}g`, null],
    ['white space', `${'a'.repeat(16)} `, null],
    ['nothing', '', null],
  ])('is read: %s', (_, text, expected) => {
    expect(parseHead(text)).toBe(expected)
  })
})

describe('audit export', () => {
  it('writes the rows of a time as JSON lines', async () => {
    let said = ''
    const out = { write: (text: string) => (said += text) }
    expect(await auditExport({ config, from: day + 60_000, to: day + 180_000, out, err: out })).toBe(0)
    const lines = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ seq }) => seq)).toEqual([2, 3])
    expect(lines[0]).toMatchObject({
      at: '2026-03-01T00:01:00.000Z',
      cardId: 'card-1',
      event: { kind: 'denied', actor: 'U1', reason: 'reason 1' },
      hash: heads[1],
      previous: heads[0],
    })
  })

  test.each([
    ['2026-03-01', day],
    ['2026-03-01T00:00:00Z', day],
    ['2026-03-01T01:00:00+01:00', day],
    ['yesterday', null],
    ['2026-13-01', null],
    ['', null],
  ])('reads %j', (text, expected) => {
    expect(parseMoment(text)).toBe(expected)
  })
})
