import type { Caller, CheckAccess } from '../actions/authorize.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { People } from '../domain/session/policy.ts'

/** Clusters that a person may see, and those whose actions they may approve. */
export type Rights = {
  readonly sees: ReadonlySet<string>
  readonly approves: ReadonlySet<string>
  /** Reason why something is not among them; one that Slack could not say comes first. Null where nothing is missing. */
  readonly refusal: Refusal | null
}

export type RightsOf = (caller: Caller) => Promise<Rights>

/** Finds what a person may see and approve. Clusters share their lists, so each list is looked up once. */
export const createRights =
  ({
    clusters,
    checkAccess,
  }: {
    readonly clusters: ReadonlyMap<string, WatchedCluster>
    readonly checkAccess: CheckAccess
  }): RightsOf =>
  async (caller) => {
    const refusals = new Map<string, Refusal | null>()
    for (const { config } of clusters.values())
      for (const list of [config.access.viewers, config.access.approvers]) {
        // Who does not belong here is in no list.
        if ([...refusals.values()].some((refusal) => refusal?.code === 'notMember')) break
        const key = keyOf(list)
        if (!refusals.has(key)) refusals.set(key, await checkAccess(caller, list, false))
      }
    const those = (kind: 'viewers' | 'approvers') =>
      [...clusters.values()].flatMap(({ config: { name, access } }) =>
        refusals.get(keyOf(access[kind])) === null ? [name] : [],
      )
    const sees = new Set(those('viewers'))
    const all = [...refusals.values()].filter((refusal) => refusal !== null)
    return {
      sees,
      approves: new Set(those('approvers').filter((name) => sees.has(name))),
      refusal: all.find(({ code }) => code === 'lookUpFailed') ?? all[0] ?? null,
    }
  }

const keyOf = (list: People): string => JSON.stringify(list)
