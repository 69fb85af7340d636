import type { Logger } from 'pino'
import { SlackFailure } from '../channel/outbox.ts'
import type { Slack } from './client.ts'

export type TokenCheck = {
  /** Asks Slack once. What passes by itself tells nothing about the token. */
  look(): Promise<void>
  /** Slack's error code when it refused the token at the last look; null when it did not. */
  refused(): string | null
}

/**
 * Whether Slack still takes the bot's token. A revoked one would show only when there is something to say, and then it is
 * too late: https://docs.slack.dev/reference/methods/auth.test
 */
export function createTokenCheck(slack: Pick<Slack, 'call'>, log: Logger): TokenCheck {
  let refused: string | null = null
  return {
    refused: () => refused,
    async look() {
      let code: string | null = null
      try {
        await slack.call((client) => client.auth.test())
      } catch (error) {
        if (!(error instanceof SlackFailure)) throw error
        if (error.retryable) return
        code = error.code
      }
      if (code === refused) return
      refused = code
      if (code) log.error({ code }, 'Slack refuses the bot token: nothing can be posted; run doctor')
      else log.info('Slack takes the bot token again')
    },
  }
}
