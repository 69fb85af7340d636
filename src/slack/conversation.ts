import type { Logger as SlackLogger } from '@slack/bolt'
import type { Actions } from '../actions/actions.ts'
import type { Authorization } from '../actions/authorize.ts'
import type { Answers } from '../answers/answer.ts'
import { createHomeReader } from '../answers/home.ts'
import type { Reports } from '../answers/report.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { SlackSettings } from '../config/config.ts'
import type { Sweep } from '../config/sweeps.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'
import type { Store } from '../store/store.ts'
import type { Slack } from './client.ts'
import { createCodes } from './codes.ts'
import { createHomes, type Homes } from './home.ts'
import { listen } from './listeners.ts'
import { createModals } from './modals.ts'
import type { LinkTo } from './permalinks.ts'
import { createQuestions } from './questions.ts'
import { type BotIdentity, createIngress, type SlackIngress } from './receivers.ts'
import type { RefusedBlocks } from './refusedBlocks.ts'
import { createRights } from './rights.ts'

/** All that people do with the bot in Slack: they ask, press, and look at their Home. */
export type Conversation = { readonly ingress: SlackIngress; readonly homes: Homes }

export function createConversation(deps: {
  readonly settings: SlackSettings
  readonly botIdentity: BotIdentity
  readonly slack: Slack
  readonly refusedBlocks: RefusedBlocks
  readonly logger: SlackLogger
  readonly store: Store
  readonly cards: Cards
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Every channel that the bot writes to by itself. */
  readonly channels: ReadonlySet<string>
  readonly authorization: Authorization
  readonly actions: Actions
  readonly answers: Answers
  /** Returns the sweeps that are configured now. */
  readonly sweeps: () => readonly Sweep[]
  readonly sharedReport: Reports['shared']
  /** Asks Slack for the time zone of a person. */
  readonly timeZoneOf: (userId: string) => Promise<string>
  /** Finds the address of a card. */
  readonly linkTo: LinkTo
  /** Finds it also for one that is on its way. */
  readonly patientLinkTo: LinkTo
  /** Takes an event for this replica alone; false where another one took it before. */
  readonly takes: (event: string) => Promise<boolean>
  /** Returns why a cluster, or what its sessions do, is not seen at the moment; null when it is. */
  readonly unseen: (cluster: string) => string | null
  readonly now: () => number
  readonly steady: () => number
  readonly log: Log
}): Conversation {
  const { slack, store, cards, clusters, authorization, actions, linkTo, unseen, now, log } = deps
  const { proposals } = store
  const { secondFactor, ...pressed } = actions
  const modals = createModals({ slack, log })
  const codes = createCodes({ modals, cards, proposals, clusters, approve: actions.approve, secondFactor })
  const rightsOf = createRights({ clusters, checkAccess: authorization.checkAccess })
  const homes = createHomes({
    ...deps,
    reader: createHomeReader({ store, clusters, cardState: cards.state, linkTo, unseen, now }),
    rightsOf,
    unseenNow: () => JSON.stringify([...clusters.keys()].map((name) => [name, unseen(name)])),
  })
  const ingress = createIngress(deps)
  listen(ingress.app, {
    ...{ slack, modals, clusters, codes, homes, rightsOf, authorization, now, log },
    ...pressed,
    channels: deps.channels,
    sweeps: deps.sweeps,
    sharedReport: deps.sharedReport,
    questions: createQuestions(deps),
    store: { ...store, seenAt: store.messages.seenAt },
    linkTo: deps.patientLinkTo,
  })
  return { ingress, homes }
}
