import type { SlackSettings } from '../config/config.ts'
import { createSlackLogger, type Log } from '../log.ts'
import { clientOptions, createSlack, type Slack } from './client.ts'
import type { BotIdentity } from './receivers.ts'
import { createRefusedBlocks, type RefusedBlocks } from './refusedBlocks.ts'
import { whoAmI } from './whoAmI.ts'

/** The way to Slack: its client, who the bot is there, and what this workspace does not take. */
export type Outward = {
  readonly slack: Slack
  readonly refusedBlocks: RefusedBlocks
  readonly botIdentity: BotIdentity
  readonly logger: ReturnType<typeof createSlackLogger>
}

/**
 * Waits until Slack knows the token.
 * @throws SlackError when Slack refuses it
 */
export async function openOutward({
  settings,
  keep,
  failed,
  signal,
  now,
  log,
}: {
  readonly settings: SlackSettings
  /** Remembers a kind of block that is refused, for the next process. */
  readonly keep: (kind: string, at: number) => Promise<void>
  /** A call has failed with this code. */
  readonly failed: (code: string) => void
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined
  readonly now: () => number
  readonly log: Log
}): Promise<Outward> {
  const logger = createSlackLogger(log)
  const refusedBlocks = createRefusedBlocks({
    now,
    learned(kind, at) {
      log.warn({ kind }, 'this workspace refuses blocks of a kind; for a day they go as plain text')
      keep(kind, at).catch((err: unknown) =>
        log.warn({ err, kind }, 'a refused kind of block was not remembered'),
      )
    },
    bare: (kinds) =>
      log.error({ kinds }, 'Slack took the bare text of a message, and neither its blocks nor its buttons'),
  })
  const slack = createSlack({
    token: settings.botToken,
    options: clientOptions({ apiUrl: settings.apiUrl, logger, now, refusedBlocks }),
    onError: ({ code }) => failed(code),
  })
  return { slack, refusedBlocks, logger, botIdentity: await whoAmI(slack, log, signal) }
}
