import type { App } from '@slack/bolt'
import type { Caller } from '../actions/authorize.ts'
import type { Silencing } from '../actions/silence.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { Store } from '../store/store.ts'
import { handOverCallback, handOverModal, personIn } from '../views/card/handOver.ts'
import type { Modals } from './modals.ts'
import type { Reply } from './replies.ts'
import type { Take } from './take.ts'

type HandOverDeps = {
  readonly modals: Modals
  readonly silencing: Pick<Silencing, 'handOver'>
}

/** Opens the modal that asks whom an incident is handed over to, for whoever looks after it. */
export async function askWhom(
  { modals, silencing }: HandOverDeps,
  caller: Caller,
  incidentId: string,
  triggerId: string,
): Promise<Refusal | string | null> {
  const refusal = await silencing.handOver(caller, incidentId, null)
  if (refusal) return refusal
  const opened = await modals.open(triggerId, handOverModal(incidentId))
  return 'failed' in opened
    ? 'The window did not open in time, so it stays with you: press "Hand over" again.'
    : null
}

/** Listens to the modal that `askWhom` opens. */
export function listenToHandOver(
  app: App,
  deps: Pick<HandOverDeps, 'silencing'> & {
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
