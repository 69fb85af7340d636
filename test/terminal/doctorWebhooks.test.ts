import { expect, it } from 'vitest'
import type { Webhook } from '../../src/domain/incidents/webhook.ts'
import { checkWebhooks } from '../../src/terminal/doctorWebhooks.ts'
import { openReceiver } from '../support/receiver.ts'

const secret = '0123456789abcdef'
const json = (url: string, over: { secret?: string } = {}): Webhook => ({
  kind: 'json',
  url,
  secret,
  from: 'warning',
  ...over,
})

it('says which receivers can be reached, sends them nothing, and names their origin alone', async () => {
  const receiver = await openReceiver()
  try {
    const checks = await checkWebhooks([json(receiver.url), json('http://127.0.0.1:9/geheim')])
    expect(checks).toEqual([
      { what: `json ${new URL(receiver.url).origin} can be reached`, fix: null },
      { what: 'json http://127.0.0.1:9 cannot be reached', fix: expect.stringContaining('firewall') },
    ])
    expect(receiver.received).toMatchObject([{ path: '/', body: '' }])
  } finally {
    await receiver.close()
  }
})

it('advises against a short secret, and against an address without encryption', async () => {
  const checks = await checkWebhooks([json('http://hooks.invalid/geheim', { secret: 'short' })])
  expect(checks.slice(1)).toEqual([
    {
      what: 'what goes to json http://hooks.invalid is not encrypted',
      fix: 'Write an https address.',
      needed: false,
    },
    {
      what: 'the secret of json http://hooks.invalid is short',
      fix: expect.stringContaining('openssl'),
      needed: false,
    },
  ])
})
