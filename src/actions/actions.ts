import type { WatchedCluster } from '../commands/cluster.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'
import type { Store } from '../store/store.ts'
import { type Approve, createApprove } from './approve.ts'
import { type Ask, createAsk } from './ask.ts'
import type { Authenticator } from './authenticator.ts'
import type { Authorization } from './authorize.ts'
import { createReadDetails, type ReadDetails } from './details.ts'
import { createExecute } from './execute.ts'
import { createPropose, type Propose } from './propose.ts'
import { createProposeBulk, type ProposeBulk } from './proposeBulk.ts'
import { createSecondFactor, type SecondFactor } from './secondFactor.ts'
import { createSilencing, type Silencing } from './silence.ts'

/** Actions of people, on a card and beside one. */
export type Actions = {
  readonly approve: Approve
  readonly secondFactor: SecondFactor
  readonly propose: Propose
  readonly proposeBulk: ProposeBulk
  readonly ask: Ask
  readonly silencing: Silencing
  readonly readDetails: ReadDetails
}

/** Wires all actions to the same cards, store and clusters. */
export function createActions(deps: {
  readonly cards: Cards
  readonly store: Store
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly authenticator: Authenticator
  /** Id of this process among those that work with the store. */
  readonly replica: string
  /** Finds the address of a card; null while it has none. */
  readonly linkTo: (cardId: string) => Promise<string | null>
  /** Finds the time zone of a person. */
  readonly timeZoneOf: (userId: string) => Promise<string>
  readonly now: () => number
  readonly steady: () => number
  /** Decides whether this process is asked to end. */
  readonly isStopping: () => boolean
  readonly log: Log
}): Actions {
  const { proposals, idempotencyKeys } = deps.store
  const shared = { ...deps, proposals, idempotencyKeys }
  const secondFactor = createSecondFactor({ ...shared, factors: deps.store.secondFactors })
  return {
    approve: createApprove({ ...shared, secondFactor, execute: createExecute(shared) }),
    secondFactor,
    propose: createPropose(shared),
    proposeBulk: createProposeBulk(shared),
    ask: createAsk(shared),
    silencing: createSilencing(shared),
    readDetails: createReadDetails(shared),
  }
}
