import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { post, signatureOf } from '../src/notify/webhookCall.ts'
import { documentSchema } from '../src/views/webhooks/document.ts'
import { waitFor } from './support/postgres.ts'

const docs = (name: string) => readFileSync(join(import.meta.dirname, '..', 'docs', name), 'utf8')
const fenced = (language: string) =>
  new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(docs('webhooks.md'))?.[1] ?? ''
const example = fenced('json')

it('docs/webhook.schema.json is the schema of what is sent', () => {
  expect(JSON.parse(docs('webhook.schema.json'))).toEqual(
    JSON.parse(JSON.stringify(z.toJSONSchema(documentSchema, { io: 'input' }))),
  )
})

it('docs/webhooks.md shows a document of this schema, with all that it has', () => {
  const document = JSON.parse(example)
  expect(documentSchema.strict().parse(document)).toEqual(document)
})

describe('the receiver in docs/webhooks.md', () => {
  let directory: string
  let receiver: ChildProcess
  let url: string
  let printed = ''

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pg-marshal-docs-'))
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const address = free.address()
    const port = typeof address === 'object' ? address?.port : 0
    free.close()
    await writeFile(join(directory, 'receiver.mjs'), fenced('js'))
    printed = ''
    receiver = spawn(process.execPath, [join(directory, 'receiver.mjs')], {
      env: { HOOK_SECRET: 'secret', PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    receiver.stdout?.on('data', (chunk) => {
      printed += chunk
    })
    url = `http://127.0.0.1:${port}/`
    await waitFor(async () => 'status' in (await send({})), 'the receiver')
  })
  afterEach(async () => {
    receiver.kill()
    await once(receiver, 'exit')
    await rm(directory, { recursive: true })
  })

  const send = ({
    secret = 'secret',
    body = example,
    at = Date.now(),
    signed = body,
  }: {
    secret?: string
    body?: string
    at?: number
    signed?: string
  }) => {
    const timestamp = Math.floor(at / 1000)
    const headers = {
      'x-pg-marshal-request-timestamp': String(timestamp),
      'x-pg-marshal-signature': signatureOf(secret, timestamp, signed),
    }
    return post(url, { headers, body, stopping: new AbortController().signal, timeoutMs: 5000 })
  }

  it('takes what is signed, and shows it once', async () => {
    expect(await send({})).toMatchObject({ status: 204 })
    expect(printed).toBe(
      'opened on orders: checkout blocks 12 sessions on orders · 54 s · idle in transaction\n',
    )
  })

  it('refuses what somebody else signed, what was changed, and what is old', async () => {
    const refused = { status: 401 }
    expect(await send({ secret: 'another' })).toMatchObject(refused)
    expect(await send({ body: example.replace('orders', 'others'), signed: example })).toMatchObject(refused)
    expect(await send({ at: Date.now() - 301_000 })).toMatchObject(refused)
    expect(
      await post(url, {
        headers: {},
        body: example,
        stopping: new AbortController().signal,
        timeoutMs: 5000,
      }),
    ).toMatchObject(refused)
  })
})
