import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createWorkspace } from '../src/index.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

test('a panel of the host adds its files, controls and state to those of the workspace', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slack-workspace-'))
  closers.push(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'own.js'), 'export const own = true')
  const workspace = await createWorkspace()
  closers.push(workspace.close)
  const at = (path: string, init?: RequestInit) => fetch(`${workspace.url}${path}`, init)
  const press = async (name: string) =>
    (await at(`/control/panel/${name}`, { method: 'POST', body: '["a"]' })).json()

  expect((await at('/panel/own.js')).status).toBe(404)
  expect(await press('turn')).toEqual({ ok: false, error: 'unknown_control' })
  let changed = () => {}
  let turned = 'nothing'
  workspace.attach({
    module: pathToFileURL(join(directory, 'own.js')),
    controls: {
      turn: (what: string) => {
        turned = what
        changed()
        return what
      },
    },
    pages: { made: async () => `<p>${turned}</p>`, none: () => null },
    state: () => ({ turned }),
    onChange: (listener) => {
      changed = listener
    },
  })
  const module = await at('/panel/own.js')
  expect([module.headers.get('content-type'), await module.text()]).toEqual([
    'text/javascript; charset=utf-8',
    'export const own = true',
  ])
  const made = await at('/panel/made')
  expect([made.headers.get('content-type'), await made.text()]).toEqual([
    'text/html; charset=utf-8',
    '<p>nothing</p>',
  ])
  expect(made.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'unsafe-inline';/,
  )
  for (const path of [
    '/panel/none',
    '/panel/toString',
    '/panel/index.html',
    '/panel/..%2Fown.js',
    '/page/own.js',
  ])
    expect((await at(path)).status).toBe(404)

  const events = await at('/control/events')
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader()
  let heard = ''
  const hear = async (what: string) => {
    while (!heard.includes(what)) heard += (await reader?.read())?.value ?? ''
  }
  await hear('event: panel\ndata: {"module":"/panel/own.js","state":{"turned":"nothing"}}')
  expect(await press('turn')).toEqual({ ok: true, result: 'a' })
  await hear('event: panel\ndata: {"module":"/panel/own.js","state":{"turned":"a"}}')
  await reader?.cancel()
})
