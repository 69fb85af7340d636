import type { App } from '@slack/bolt'
import type { Approve } from '../actions/approve.ts'
import type { Caller, CheckAccess } from '../actions/authorize.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Action } from '../domain/session/action.ts'
import type { Store } from '../store/store.ts'
import { type ReasonFor, reasonCallbacks, reasonIn, reasonModal } from '../views/card/reason.ts'
import type { Codes } from './codes.ts'
import type { Modals } from './modals.ts'
import type { Reply } from './replies.ts'
import type { Said, Take } from './take.ts'

type ReasonDeps = {
  readonly modals: Modals
  readonly store: Pick<Store, 'proposals'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly approve: Approve
  readonly codes: Codes
  readonly authorization: { readonly checkAccess: CheckAccess }
}

/** Opens the modal that asks for a reason. The permission is checked before it opens, and again when it is sent. */
export async function askWhy(
  { modals, store, clusters, approve, codes, authorization: { checkAccess } }: ReasonDeps,
  why: ReasonFor,
  caller: Caller,
  {
    proposalId,
    triggerId,
    action,
  }: { readonly proposalId: string; readonly triggerId: string; readonly action?: Action },
): Promise<Said> {
  const proposal = await store.proposals.get(proposalId)
  const watched = clusters.get(proposal?.key.cluster ?? '')
  const decide = () =>
    approve({
      caller,
      proposalId,
      decision: why,
      action: action ?? proposal?.action ?? 'cancel',
      reason: '',
    })
  if (!proposal || !watched || proposal.state !== 'open' || (action ?? proposal.action) !== proposal.action)
    return decide()
  const { access, approvals } = watched.config
  if (why === 'breakGlass' && (await codes.isAskedFor(proposalId)))
    return codes.press({ caller, proposalId, decision: why, action: proposal.action, reason: '' }, triggerId)
  if (await checkAccess(caller, why === 'deny' ? access.approvers : approvals.breakGlass, true))
    return decide()
  const opened = await modals.open(triggerId, reasonModal(why, proposal))
  // Without the modal there is no reason: a denial, the safe side, counts all the same; the glass stays whole.
  return 'failed' in opened ? decide() : null
}

/** Listens to the modals that `askWhy` opens. */
export function listenToReasons(
  app: App,
  deps: Pick<ReasonDeps, 'store' | 'approve'> & {
    readonly take: Take
    /** Answers in private, in the channel of a cluster, and where the modal was opened. */
    readonly answering: (cluster: string | undefined, caller: Caller) => Reply
  },
): void {
  const { store, approve, take, answering } = deps
  for (const why of ['deny', 'breakGlass'] as const)
    app.view(reasonCallbacks[why], async ({ body, view, ack }) => {
      const caller: Caller = { userId: body.user.id, teamId: body.user.team_id ?? null }
      const proposalId = String(view.private_metadata ?? '')
      // While the store cannot be read, approving says so.
      const proposal = await store.proposals.get(proposalId).catch(() => null)
      await take('modal', ack, answering(proposal?.key.cluster, caller), () =>
        approve({
          caller,
          proposalId,
          decision: why,
          action: proposal?.action ?? 'cancel',
          reason: reasonIn(view.state.values),
        }),
      )
    })
}
