import type { App } from '@slack/bolt'
import type { Caller } from '../actions/authorize.ts'
import type { Silencing } from '../actions/silence.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Store } from '../store/store.ts'
import { handOverCallback, handOverModal, personIn } from '../views/card/handOver.ts'
import type { Slack } from './client.ts'
import type { Take } from './flights.ts'
import type { Reply } from './replies.ts'

type HandOverDeps = {
  readonly slack: Slack
  readonly silencing: Pick<Silencing, 'handOver'>
  readonly log: Log
}

/** Opens the modal that asks whom an incident is handed over to, for whoever looks after it. */
export async function askWhom(
  { slack, silencing, log }: HandOverDeps,
  caller: Caller,
  incidentId: string,
  triggerId: string,
): Promise<Refusal | string | null> {
  const refusal = await silencing.handOver(caller, incidentId, null)
  if (refusal) return refusal
  try {
    await slack.call((client) =>
      client.views.open({ trigger_id: triggerId, view: handOverModal(incidentId) }),
    )
    return null
  } catch (error) {
    if (!(error instanceof SlackError)) throw error
    log.info({ err: error }, 'the modal that hands over did not open')
    return 'The window did not open in time, so it stays with you: press "Hand over" again.'
  }
}

/** Listens to the modal that `askWhom` opens. */
export function listenToHandOver(
  app: App,
  deps: HandOverDeps & {
    readonly store: Pick<Store, 'incidents'>
    readonly take: Take
    /** Answers in private, in the channel of a cluster. */
    readonly whisper: (cluster: string | undefined, caller: Caller) => Reply
  },
): void {
  const { silencing, store, take, whisper } = deps
  app.view(handOverCallback, async ({ body, view, ack }) => {
    const caller: Caller = { userId: body.user.id, teamId: body.user.team_id ?? null }
    const incidentId = String(view.private_metadata ?? '')
    // While the store cannot be read, handing over says so.
    const incident = await store.incidents.get(incidentId).catch(() => null)
    await take('modal', ack, whisper(incident?.cluster, caller), () =>
      silencing.handOver(caller, incidentId, personIn(view.state.values)),
    )
  })
}
