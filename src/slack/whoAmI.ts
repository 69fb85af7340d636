import { setTimeout as pause } from 'node:timers/promises'
import { backoff } from '../backoff.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Slack } from './client.ts'
import type { BotIdentity } from './receivers.ts'

/** Asks Slack who the token is. What passes by itself is waited for; a token that is refused is an error. */
export async function whoAmI(slack: Slack, log: Log, signal?: AbortSignal): Promise<BotIdentity> {
  for (let attempt = 0; ; attempt++) {
    try {
      const {
        team_id: teamId,
        bot_id: botId,
        user_id: botUserId,
      } = await slack.call((client) => client.auth.test())
      if (!teamId) throw new SlackError('no_team')
      return { teamId, botId, botUserId }
    } catch (error) {
      if (!(error instanceof SlackError && error.retryable)) throw error
      const retryInMs = Math.max(error.retryAfterMs, backoff(attempt, { firstMs: 1000, longestMs: 30_000 }))
      log.warn({ code: error.code, retryInMs }, 'Slack cannot be reached yet')
      await pause(retryInMs, undefined, { signal })
    }
  }
}
