import { createWorkspace, everyScope } from 'slack-workspace'
import { expect, it } from 'vitest'
import { createLog, createSlackLogger } from '../../src/log.ts'
import { clientOptions, createSlack } from '../../src/slack/client.ts'

it('finds a post of its own though its clock is ahead of that of Slack', async () => {
  const workspace = await createWorkspace({ scopes: [...everyScope] })
  try {
    const logger = createSlackLogger(createLog({ level: 'silent' }))
    const { SLACK_BOT_TOKEN: token, SLACK_API_URL: url } = workspace.env
    const slack = createSlack({ token, options: clientOptions({ apiUrl: url, logger, now: Date.now }) })
    const ts = await slack.post('C0INCIDENTS', null, { text: 'card', blocks: [] }, 'id')
    const ahead = Number(ts) * 1000 + 30_000
    expect(await slack.find('C0INCIDENTS', null, 'id', ahead)).toBe(ts)
    expect(await slack.find('C0INCIDENTS', null, 'another', ahead)).toBeNull()
  } finally {
    await workspace.close()
  }
})
