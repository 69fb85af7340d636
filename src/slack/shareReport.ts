import { randomUUID } from 'node:crypto'
import type { App } from '@slack/bolt'
import { type Authorization, type Caller, unknownButton } from '../actions/authorize.ts'
import type { Reports } from '../answers/report.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Store } from '../store/store.ts'
import { channelIn, shareReportCallback, shareReportModal } from '../views/report/share.ts'
import type { Slack } from './client.ts'
import type { Modals } from './modals.ts'
import type { Reply } from './replies.ts'
import type { Take } from './take.ts'

export type SharingDeps = {
  readonly slack: Slack
  readonly modals: Modals
  readonly store: Pick<Store, 'incidents'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly sharedReport: Reports['shared']
  readonly authorization: Pick<Authorization, 'authorize' | 'refuse'>
}

const where = 'button pg_share_report'

/** Opens the modal that asks for a channel, for who may see the cluster. */
export async function askWhere(
  deps: Pick<SharingDeps, 'modals' | 'store' | 'clusters' | 'authorization'>,
  caller: Caller,
  incidentId: string,
  triggerId: string,
): Promise<Refusal | string | null> {
  const watched = await watchedFor(deps, caller, incidentId)
  if ('code' in watched) return watched
  const opened = await deps.modals.open(triggerId, shareReportModal(incidentId))
  return 'failed' in opened
    ? 'The window did not open in time, so nothing was shared: press "Share to a channel" again.'
    : null
}

/** Listens to the modal that `askWhere` opens. */
export function listenToSharing(
  app: App,
  deps: SharingDeps & {
    readonly take: Take
    /** Answers in private, in the channel of a cluster. */
    readonly whisper: (cluster: string | undefined, caller: Caller) => Reply
  },
): void {
  app.view(shareReportCallback, async ({ body, view, ack }) => {
    const caller: Caller = { userId: body.user.id, teamId: body.user.team_id ?? null }
    const incidentId = String(view.private_metadata ?? '')
    // While the store cannot be read, sharing says so.
    const incident = await deps.store.incidents.get(incidentId).catch(() => null)
    await deps.take('modal', ack, deps.whisper(incident?.cluster, caller), () =>
      share(deps, caller, incidentId, channelIn(view.state.values)),
    )
  })
}

/** Shows a report to a channel for a person who may see it, and who is there. */
async function share(
  deps: SharingDeps,
  caller: Caller,
  incidentId: string,
  channel: string,
): Promise<Refusal | string> {
  const { slack, sharedReport, authorization } = deps
  const watched = await watchedFor(deps, caller, incidentId)
  if ('code' in watched) return watched
  const { access, channel: own } = watched.config
  // Whoever reads along there was not let in.
  if (access.viewers !== 'everyone' && channel !== own) {
    const why = `only some may see ${watched.config.name}, so its reports are shared to its own channel alone`
    return authorization.refuse({ caller, where }, refusalOf('notAllowed', why, why))
  }
  if (!/^[CG][A-Z0-9]+$/.test(channel)) return 'Nothing was shared: choose a channel, not a direct message.'
  const absent = await absence(slack, channel, caller)
  if (absent !== null) return `Nothing was shared: ${absent}`
  const view = await sharedReport(incidentId, caller.userId)
  if (!view) return authorization.refuse({ caller, where }, unknownButton)
  try {
    await slack.post(channel, null, view, randomUUID())
    return `Shared to <#${channel}>.`
  } catch (error) {
    if (!(error instanceof SlackError)) throw error
    return `Nothing was shared: Slack does not take it in that channel (${error.code}).`
  }
}

async function watchedFor(
  { store, clusters, authorization }: Pick<SharingDeps, 'store' | 'clusters' | 'authorization'>,
  caller: Caller,
  incidentId: string,
): Promise<WatchedCluster | Refusal> {
  const incident = await store.incidents.get(incidentId)
  const watched = clusters.get(incident?.cluster ?? '')
  if (!watched) return authorization.refuse({ caller, where }, unknownButton)
  return (await authorization.authorize({ caller, where }, watched.config.access.viewers, true)) ?? watched
}

/**
 * Finds out whether both of us are in a channel, by a note that the person alone sees there: Slack takes it only where the
 * app and its reader are members. https://docs.slack.dev/reference/methods/chat.postEphemeral#errors
 * @returns why not; null where both are
 */
async function absence(slack: Slack, channel: string, caller: Caller): Promise<string | null> {
  try {
    await slack.call((client) =>
      client.chat.postEphemeral({
        ...{ channel, user: caller.userId },
        text: 'The report that you share follows here, with your name.',
      }),
    )
    return null
  } catch (error) {
    if (!(error instanceof SlackError)) throw error
    switch (error.code) {
      case 'user_not_in_channel':
        return 'you are not in that channel. Join it first.'
      case 'not_in_channel':
      case 'channel_not_found':
        return 'I am not in that channel. /invite me there first.'
      case 'is_archived':
        return 'that channel is archived.'
      default:
        return `Slack does not say whether you may post there (${error.code}). Try again in a moment.`
    }
  }
}
