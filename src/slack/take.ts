import type { Refusal } from '../domain/approvals/access.ts'
import type { Log } from '../log.ts'
import { storeFailureOf } from '../store/failure.ts'
import { escapeText, type View } from '../views/kit.ts'
import { refusalView } from '../views/refusal.ts'
import type { LinkTo } from './permalinks.ts'
import type { Reply } from './replies.ts'

/** Private answer to a request; null where there is nothing to say. */
export type Said = Refusal | View | string | null

/** Acknowledges a request, carries it out, and answers in private what it comes to. Never throws. */
export type Take = (
  entry: string,
  ack: () => Promise<void>,
  reply: Reply,
  run: () => Promise<Said>,
) => Promise<void>

export const createTake =
  ({ linkTo, log }: { readonly linkTo: LinkTo; readonly log: Log }): Take =>
  (entry, ack, reply, run) =>
    ack()
      .then(run)
      .then(async (answer) => {
        if (answer === null) return
        const isRefusal = typeof answer === 'object' && 'code' in answer
        await reply.privately(
          isRefusal ? refusalView(answer, answer.on ? await linkTo(answer.on) : null) : answer,
        )
      })
      .catch(async (error: unknown) => {
        log.error({ err: error, entry }, 'a request from Slack failed')
        const why = storeFailureOf(error)
        await reply.privately(
          why === null
            ? 'Something went wrong on my side, and it is in my log. Look at the card before you try again.'
            : `My store cannot be used: ${escapeText(why)}. Nothing can be approved or logged now.`,
        )
      })
      .catch((error: unknown) => log.error({ err: error, entry }, 'the answer could not be delivered'))
