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

test('a file is uploaded as Slack’s own client does it, into a thread', async () => {
  const client = await open()
  const { ts = '' } = await client.chat.postMessage({ channel, text: 'journal' })
  await client.filesUploadV2({
    channel_id: channel,
    thread_ts: ts,
    filename: 'journal.csv',
    title: 'Journal',
    content: 'a,b\n1,ä\n',
    initial_comment: 'here it is',
  })
  const [, reply] = workspace.thread(channel, ts)
  expect(reply).toMatchObject({
    text: 'here it is',
    upload: true,
    files: [{ title: 'Journal', name: 'journal.csv', preview: 'a,b\n1,ä\n', size: 9 }],
  })
})

test('a binary file arrives byte for byte', async () => {
  const client = await open()
  const picture = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0xff, 0xfe, 0x00])
  const { upload_url = '', file_id: id = '' } = await client.files.getUploadURLExternal({
    filename: 'graph.png',
    length: picture.length,
  })
  expect(await (await fetch(upload_url, { method: 'POST', body: picture })).text()).toBe('OK - 9')
  await client.files.completeUploadExternal({ files: [{ id }], channel_id: channel })
  await client.filesUploadV2({ channel_id: channel, filename: 'again.png', file: picture })
  const files = workspace.messages(channel).map((message) => message.files?.[0])
  expect(files).toMatchObject([
    { name: 'graph.png', size: 9 },
    { name: 'again.png', size: 9 },
  ])
  expect(files[0]).not.toHaveProperty('preview')
})

test('a file needs its scope, its bytes, and a channel that the app is in', async () => {
  const client = await open()
  const { upload_url = '', file_id: id = '' } = await client.files.getUploadURLExternal({
    filename: 'x.txt',
    length: 3,
  })
  const complete = (where: string) =>
    client.files.completeUploadExternal({ files: [{ id }], channel_id: where })
  await expect(complete(channel)).rejects.toThrow('file_not_found')
  expect((await fetch(upload_url, { method: 'POST', body: 'abc' })).status).toBe(200)
  expect((await fetch(upload_url, { method: 'POST', body: 'abc' })).status).toBe(404)
  await expect(complete('C0RANDOM')).rejects.toThrow('not_in_channel')
  await complete(channel)
  await expect(complete(channel)).rejects.toThrow('file_not_found')
  workspace.setScopes(['chat:write'])
  await expect(client.files.getUploadURLExternal({ filename: 'x', length: 1 })).rejects.toThrow(
    'missing_scope',
  )
})
