import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWorkspace, everyScope, type Workspace } from '../src/index.ts'

/** Requests that only a caller without Slack's own client sends: addresses, forms, JSON, and mistakes in them. */

const channel = 'C0INCIDENTS'
let workspace: Workspace
beforeAll(async () => {
  workspace = await createWorkspace({ scopes: everyScope })
})
afterAll(() => workspace.close())

type Answer = {
  readonly ok: boolean
  readonly error?: string
  readonly members?: readonly string[]
  readonly messages?: readonly { readonly text: string }[]
  readonly response_metadata?: { readonly next_cursor?: string }
}
const call = async (path: string, init: RequestInit = {}, token = workspace.tokens.bot): Promise<Answer> => {
  const headers = new Headers(init.headers)
  if (token !== '') headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(`${workspace.env.SLACK_API_URL}${path}`, { ...init, headers })
  return (await response.json()) as Answer
}
const form = (fields: Record<string, string>, method = 'POST'): RequestInit => ({
  method,
  body: new URLSearchParams(fields),
})
const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const multipart = (fields: Record<string, string>): RequestInit => {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  return { method: 'POST', body }
}

describe('one call, as each body that Slack takes', () => {
  const blocks = [{ type: 'divider' }]
  test.each<[string, string, RequestInit]>([
    ['address', `?channel=${channel}&text=address`, {}],
    ['form', '', form({ channel, text: 'form', blocks: JSON.stringify(blocks) })],
    ['multipart', '', multipart({ channel, text: 'multipart', blocks: JSON.stringify(blocks) })],
    ['json', '', json({ channel, text: 'json', blocks })],
  ])('%s', async (text, query, init) => {
    expect(await call(`chat.postMessage${query}`, init)).toMatchObject({ ok: true, message: { text } })
  })

  test.each<[string, RequestInit]>([
    ['invalid_json', json('{')],
    ['json_not_object', json([])],
    ['invalid_post_type', { method: 'POST', headers: { 'content-type': 'text/xml' }, body: '<a/>' }],
    [
      'invalid_form_data',
      { method: 'POST', headers: { 'content-type': 'multipart/form-data' }, body: 'no boundary' },
    ],
  ])('%s', async (error, init) => {
    expect(await call('chat.postMessage', init)).toMatchObject({ ok: false, error })
  })

  test('a token is read from a form and from the address, but not from JSON', async () => {
    const token = workspace.tokens.bot
    expect(await call('auth.test', form({ token }), '')).toMatchObject({ ok: true })
    expect(await call(`auth.test?token=${token}`, {}, '')).toMatchObject({ ok: true })
    expect(await call('auth.test', json({ token }), '')).toMatchObject({ error: 'not_authed' })
    expect(await call('auth.test', {}, 'xoxb-wrong')).toMatchObject({ error: 'invalid_auth' })
    expect(await call('auth.test', {}, workspace.tokens.app)).toMatchObject({
      error: 'not_allowed_token_type',
    })
  })

  test('another site in the same browser may not post', async () => {
    const forged = { ...form({ channel, text: 'forged', token: workspace.tokens.bot }) }
    const response = await fetch(`${workspace.env.SLACK_API_URL}chat.postMessage`, {
      ...forged,
      headers: { origin: 'https://evil.example' },
    })
    expect(response.status).toBe(403)
    expect(workspace.messages(channel).map(({ text }) => text)).not.toContain('forged')
  })
})

describe('pages', () => {
  test('a cursor leads through all of them, once each', async () => {
    const everybody = workspace.seed.channels.find(({ id }) => id === channel)?.members ?? []
    const found: string[] = []
    let cursor = ''
    do {
      const page = await call(`conversations.members?channel=${channel}&limit=3&cursor=${cursor}`)
      expect(page.members?.length).toBeLessThanOrEqual(3)
      found.push(...(page.members ?? []))
      cursor = page.response_metadata?.next_cursor ?? ''
    } while (cursor !== '')
    expect(found).toEqual(everybody)
  })

  test('history: newest first, between two moments, and no further than it goes', async () => {
    const room = await createWorkspace({ scopes: everyScope })
    try {
      const said = ['a', 'b', 'c', 'd', 'e'].map((text) =>
        room.say({ userId: 'U0RESP', channelId: channel, text }),
      )
      const read = async (query: string) => {
        const response = await fetch(
          `${room.env.SLACK_API_URL}conversations.history?channel=${channel}&${query}`,
          {
            headers: { authorization: `Bearer ${room.tokens.bot}` },
          },
        )
        return (await response.json()) as Answer
      }
      const texts = (page: Answer) => page.messages?.map(({ text }) => text).join('')
      const first = await read('limit=2')
      expect(texts(first)).toBe('ed')
      expect(texts(await read(`limit=9&cursor=${first.response_metadata?.next_cursor}`))).toBe('cba')
      expect(texts(await read(`oldest=${said[1]?.ts}&latest=${said[3]?.ts}`))).toBe('c')
      expect(texts(await read(`oldest=${said[1]?.ts}&latest=${said[3]?.ts}&inclusive=true`))).toBe('dcb')
      expect(await read('latest=yesterday')).toMatchObject({ error: 'invalid_ts_latest' })
      expect(await read('oldest=-1')).toMatchObject({ error: 'invalid_ts_oldest' })
    } finally {
      await room.close()
    }
  })

  test.each([
    ['limit=many', 'invalid_limit'],
    ['limit=-1', 'invalid_limit'],
    ['cursor=nonsense', 'invalid_cursor'],
    [`cursor=${Buffer.from('-2').toString('base64url')}`, 'invalid_cursor'],
  ])('%s is %s', async (query, error) => {
    expect(await call(`conversations.members?channel=${channel}&${query}`)).toMatchObject({ error })
  })
})
