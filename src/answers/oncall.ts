import { clustersMeant } from '../commands/cluster.ts'
import type { ClusterConfig } from '../config/config.ts'
import type { Called, Notify } from '../domain/incidents/ladder.ts'
import { oncallView } from '../views/answers/oncall.ts'
import { problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'

/** Looks up a person or user group by id. */
export type Directory = (id: string) => Promise<Called>

/**
 * Answers who is called now for trouble on these clusters, and what happens when.
 * @param directory null where Slack cannot be asked, as in the terminal
 */
export async function answerOncall(
  cluster: string | undefined,
  {
    configs,
    directory,
  }: { readonly configs: readonly ClusterConfig[]; readonly directory: Directory | null },
): Promise<View> {
  const meant = clustersMeant(
    cluster,
    configs.map(({ name }) => name),
  )
  if ('problem' in meant) return problemView(meant.problem)
  const shown = configs.filter(({ name }) => meant.includes(name))
  const alike = Map.groupBy(shown, ({ notify, access }) =>
    JSON.stringify([callsOf(notify), access.approvers]),
  )
  const groups = [...alike.values()].flatMap(([first, ...others]) =>
    first ? [{ clusters: [first, ...others].map(({ name }) => name), ...first }] : [],
  )
  const ids = new Set(
    groups.flatMap(({ notify: { mention, escalate }, access }) =>
      mention.length + escalate.length === 0
        ? []
        : [...mention, ...escalate.flatMap((step) => step.mention), ...access.approvers],
    ),
  )
  const called = new Map<string, Called>()
  for (const id of ids)
    called.set(id, directory ? await directory(id) : { name: id, members: null, unread: null })
  return oncallView(groups, called)
}

const callsOf = ({ mention, from, remindAfterMs, escalate }: Notify) => [
  mention,
  from,
  String(remindAfterMs),
  escalate,
]
