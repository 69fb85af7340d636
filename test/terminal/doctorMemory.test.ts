import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { checkCodes } from '../../src/terminal/doctorCodes.ts'
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
