import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Config, parseConfig } from '../../src/config/config.ts'
import { openStore } from '../../src/store/store.ts'
import { checkCodes } from '../../src/terminal/doctorCodes.ts'
import { checkHistory } from '../../src/terminal/doctorHistory.ts'
import { readMemory } from '../../src/terminal/doctorMemory.ts'
import { checkRefusedBlocks } from '../../src/terminal/doctorRefusedBlocks.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-doctor-'))
})
afterAll(() => rm(directory, { recursive: true }))

it('knows of nothing where there is no store yet', async () => {
  expect(await readMemory({ kind: 'sqlite', path: join(directory, 'none.db') })).toEqual({
    refused: [],
    enrolments: [],
    history: { bytes: 0, oldestAt: null },
  })
})

it('goes on where the record of looks alone cannot be read', async () => {
  const path = join(directory, 'store.db')
  await (await openStore({ kind: 'sqlite', path })).close()
  await writeFile(`${path}-history`, 'this is no database'.repeat(100))
  const memory = await readMemory({ kind: 'sqlite', path })
  expect(memory).toMatchObject({
    refused: [],
    history: { failure: expect.stringContaining(`${path}-history`) },
  })
  expect(checkHistory(memory, { keepMs: 1, mostBytes: 1 }, 0)).toMatchObject([
    { what: 'the record of looks cannot be read', needed: false },
  ])
})

describe('the record of looks', () => {
  const day = 86_400_000
  const limits = { keepMs: 7 * day, mostBytes: 100 * 2 ** 20 }
  const check = (bytes: number, oldestAt: number | null, settings: Partial<Config['history']> = {}) =>
    checkHistory(
      { refused: [], enrolments: [], history: { bytes, oldestAt } },
      { ...limits, ...settings },
      10 * day,
    )
  const fine = (what: string) => [{ what, fix: null }]

  it('is fine where it is as long as it is kept, or has room', () => {
    expect(check(50 * 2 ** 20, 9 * day)).toEqual(fine('the record of looks goes back 1 d, in 50 MB'))
    expect(check(100 * 2 ** 20, 3 * day)).toEqual(fine('the record of looks goes back 7 d, in 100 MB'))
    expect(check(0, null)).toEqual(fine('the record of looks is empty'))
    expect(check(0, null, { keepMs: null })).toEqual(fine('looks are not recorded (history.keep: off)'))
  })

  it('says that it ends early where its room does not do', () => {
    expect(check(95 * 2 ** 20, 9 * day)).toEqual([
      {
        what: 'the record of looks goes back 1 d, in 95 MB: history.most (100 MB) is reached, so the oldest go before history.keep (7 d) is over',
        fix: 'Set a larger history.most, or a shorter history.keep.',
        needed: false,
      },
    ])
    expect(check(95 * 2 ** 20, 3 * day + 3_600_001)[0]?.needed).toBe(false)
    expect(check(95 * 2 ** 20, 3 * day + 3_600_000)[0]?.fix).toBeNull()
    expect(check(90 * 2 ** 20, 9 * day)[0]?.needed).toBe(false)
    expect(check(90 * 2 ** 20 - 1, 9 * day)[0]?.fix).toBeNull()
  })
})

it('says what it cannot know where the store cannot be read, and goes on', async () => {
  const path = join(directory, 'broken.db')
  await writeFile(path, 'this is no store of pg-marshal'.repeat(100))
  const memory = await readMemory({ kind: 'sqlite', path })
  const fix = expect.stringContaining(`The store ${path} cannot be opened`)
  expect(checkRefusedBlocks(memory, 0)).toEqual([
    { what: 'not known which kinds of blocks this workspace refuses', fix, needed: false },
  ])
  const config = parseConfig(
    `
slack: { channel: C0OPS }
access: { viewers: everyone, requesters: everyone, approvers: [U0DANA] }
approvals: { secondFactor: { terminate: true } }
clusters: [{ name: orders, url: 'postgres://marshal@db.example/orders' }]
`,
    { PG_MARSHAL_SECRET: '0123456789abcdef0123456789abcdef' },
  )
  expect(await checkCodes(config, memory)).toEqual([{ what: 'not known who is enrolled for codes', fix }])
})
