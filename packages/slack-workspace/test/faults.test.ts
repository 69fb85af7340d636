import { webApi } from '@slack/bolt'
import { afterEach, expect, test } from 'vitest'
import { createWorkspace, everyScope, type Workspace } from '../src/index.ts'

const channel = 'C0INCIDENTS'
let workspace: Workspace
afterEach(() => workspace.close())

const open = async () => {
  workspace = await createWorkspace({ scopes: everyScope })
  return new webApi.WebClient(workspace.tokens.bot, {
    slackApiUrl: workspace.env.SLACK_API_URL,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    allowAbsoluteUrls: true,
  })
}

test('pacing lets one message a second into each channel while it is on', async () => {
  const client = await open()
  const post = (text: string, where = channel) => client.chat.postMessage({ channel: where, text })
  await post('a')
  await post('b')
  workspace.setPacing(true)
  await post('c')
  await expect(post('d')).rejects.toMatchObject({ code: webApi.ErrorCode.RateLimitedError, retryAfter: 1 })
  await post('another channel', 'U0DANA')
  workspace.setPacing(false)
  await post('e')
  expect(workspace.messages(channel).map(({ text }) => text)).toEqual(['a', 'b', 'c', 'e'])
})

test('a held fault fails every call until it is removed', async () => {
  const client = await open()
  workspace.holdFault('down', { kind: 'refuse', error: 'fatal_error' })
  for (let n = 0; n < 3; n++) await expect(client.auth.test()).rejects.toThrow('fatal_error')
  workspace.holdFault('down', null)
  expect(await client.auth.test()).toMatchObject({ ok: true })
})

test('a call that hangs by a held fault ends when the fault is removed', async () => {
  const client = await open()
  workspace.holdFault('hang', { kind: 'hang' })
  const hanging = expect(client.auth.test()).rejects.toMatchObject({ code: webApi.ErrorCode.RequestError })
  await workspace.waitFor(() => workspace.requests('auth.test').length === 1)
  workspace.holdFault('hang', null)
  await hanging
  expect(await client.auth.test()).toMatchObject({ ok: true })
})

test('only the user who sees a private message can dismiss it', async () => {
  const client = await open()
  await client.chat.postEphemeral({ channel, user: 'U0RESP', text: 'for you' })
  const [whisper] = workspace.ephemerals('U0RESP')
  workspace.dismiss('U0DANA', channel, whisper?.ts ?? '')
  expect(workspace.ephemerals('U0RESP')).toHaveLength(1)
  workspace.dismiss('U0RESP', channel, whisper?.ts ?? '')
  expect(workspace.ephemerals('U0RESP')).toEqual([])
})
