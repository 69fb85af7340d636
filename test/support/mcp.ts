import { resolve } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import type { RunningApp } from '../../src/app.ts'
import { secretOf } from './programs.ts'

/** Revisions that clients speak: the current one, and the one before it. */
export type Era = 'current' | 'before'

/** Way of a client to the bot. */
export type Way = 'http' | 'stdio'

const main = resolve(import.meta.dirname, '../../src/main.ts')

/** Address of a bot, as programs name it. */
export const addressOf = ({ port }: Pick<RunningApp, 'port'>): string => `http://127.0.0.1:${port}`

/** Connects the official client as an agent has it. */
export async function connect(
  url: string,
  { as = 'deploybot', way = 'http', era = 'current' }: { as?: string; way?: Way; era?: Era } = {},
): Promise<Client> {
  const mode = era === 'current' ? { pin: '2026-07-28' } : 'legacy'
  const client = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode } })
  await client.connect(
    way === 'http'
      ? new StreamableHTTPClientTransport(new URL('/mcp', url), {
          requestInit: { headers: { authorization: `Bearer ${secretOf(as)}` } },
        })
      : new StdioClientTransport({
          command: process.execPath,
          args: [main, 'mcp'],
          env: { PG_MARSHAL_URL: url, PG_MARSHAL_TOKEN: secretOf(as) },
          stderr: 'inherit',
        }),
  )
  return client
}
