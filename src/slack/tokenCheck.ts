import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Slack } from './client.ts'

export type TokenCheck = {
  /** Asks Slack once. An error that passes by itself says nothing about the token. */
  look(): Promise<void>
  /** The code of what keeps Slack from answering, when it has not answered twice in a row; null when it answers. */
  silent(): string | null
  /** Slack's error code when it refused the token at the last look; null when it did not. */
  refused(): string | null
}

/**
 * Checks that Slack answers, and still takes the bot's token. Otherwise a bad token would show only when there is
 * something to say, and then it is too late: https://docs.slack.dev/reference/methods/auth.test
 */
export function createTokenCheck(deps: {
  readonly slack: Pick<Slack, 'call'>
  readonly log: Log
}): TokenCheck {
  const { slack, log } = deps
  let refused: string | null = null
  let unanswered: string[] = []
  return {
    refused: () => refused,
    silent: () => unanswered[1] ?? null,
    async look() {
      let code: string | null = null
      try {
        await slack.call((client) => client.auth.test())
      } catch (error) {
        if (!(error instanceof SlackError)) throw error
        if (error.retryable) {
          // That it wants fewer calls is an answer too.
          unanswered = error.kind === 'limited' ? [] : [...unanswered.slice(-1), error.code]
          return
        }
        code = error.code
      }
      unanswered = []
      if (code === refused) return
      refused = code
      if (code) log.error({ code }, 'Slack refuses the bot token: nothing can be posted; run doctor')
      else log.info('Slack takes the bot token again')
    },
  }
}
