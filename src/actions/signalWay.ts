import type { WatchedCluster } from '../commands/cluster.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Execution } from '../domain/approvals/transitions.ts'
import { isFromHost } from '../domain/host/identity.ts'
import { attempt } from '../postgres/cluster.ts'
import { type CarryOut, carryOut, describeNow } from './carryOut.ts'
import { type Begun, carryOutOnHost, describeProcess, isPastOnHost } from './carryOutOnHost.ts'

/** Way of a signal: who sends it, and who knows afterwards what can have become of it. */
export type SignalWay = {
  carryOut(proposal: Proposal, how: CarryOut): Promise<Execution>
  /** Decides whether the time is over in which it may go out; `otherwise` does where its clock cannot be read. */
  isPast(watched: WatchedCluster, begun: Begun, otherwise: () => boolean): Promise<boolean>
  /** Describes the target after something went wrong, in one sentence. */
  describe(watched: WatchedCluster, proposal: Proposal): Promise<string>
}

const byServer: SignalWay = {
  carryOut,
  isPast: ({ cluster }, { signalBefore }, otherwise) =>
    attempt(() => cluster.isPast(signalBefore), otherwise),
  describe: ({ cluster }, proposal) => describeNow(cluster, proposal),
}

const byHost: SignalWay = {
  carryOut: carryOutOnHost,
  isPast: async (_, begun, otherwise) => isPastOnHost(begun, otherwise),
  describe: ({ config }, proposal) => describeProcess(config, proposal),
}

/** Picks the way by who showed the session when it was approved: its server, or the operating system. */
export const signalWayOf = ({ key }: Pick<Proposal, 'key'>): SignalWay =>
  isFromHost(key) ? byHost : byServer
