import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const bin = resolve(import.meta.dirname, '../bin/slackWorkspace.ts')
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slack-workspace-'))
})
afterAll(() => rm(directory, { recursive: true }))

const run = (...args: string[]) =>
  new Promise<{ code: unknown; out: string; error: string }>((done) => {
    execFile(process.execPath, [bin, ...args], { cwd: directory }, (failure, out, error) =>
      done({ code: failure?.code ?? 0, out, error }),
    )
  })

test('starts an app with what it needs to reach the workspace, and ends with its exit code', async () => {
  await writeFile(
    join(directory, 'manifest.yml'),
    'features: { slash_commands: [{ command: /ask }] }\noauth_config: { scopes: { bot: [commands] } }\n',
  )
  const app = `
    const { SLACK_API_URL, SLACK_BOT_TOKEN } = process.env
    const headers = { authorization: 'Bearer ' + SLACK_BOT_TOKEN }
    const known = await fetch(SLACK_API_URL + 'auth.test', { method: 'POST', headers })
    const state = await fetch(new URL('/control/state', SLACK_API_URL))
    console.log(JSON.stringify([(await known.json()).ok, (await state.json()).commands]))
    process.exit(3)`
  const { code, out } = await run(
    ...['--manifest', 'manifest.yml', '--', process.execPath],
    ...['--input-type=module', '-e', app],
  )
  expect(out).toMatch(/^Open http:\/\/127\.0\.0\.1:\d+$/m)
  expect(out).toContain('[true,[{"command":"/ask","description":"","usageHint":""}]]')
  expect(code).toBe(3)
})

test.each([
  [['--port', '65536'], '--port takes a number up to 65535'],
  [['--manifest', 'none.yml'], 'no such file'],
  [['--', 'no-such-program'], 'no-such-program'],
  [['app.js'], 'app.js'],
])('%j ends with 2 and says why', async (args, why) => {
  expect(await run(...args)).toMatchObject({ code: 2, error: expect.stringContaining(why) })
})
