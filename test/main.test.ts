import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const main = resolve(import.meta.dirname, '../src/main.ts')

describe('a process', () => {
  it('finds our code as the one before has compiled it', async () => {
    const env = { PATH: process.env.PATH, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }
    const start = () => run(process.execPath, [main, '--version'], { env, maxBuffer: 2 ** 26 })
    await start()
    const { stdout, stderr } = await start()
    expect(stderr).toMatch(/cache for ESM \S+\/src\/app\.ts was accepted/)
    expect(stdout).toMatch(/^pg-marshal /m)
  }, 60_000)
})
