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
  const shown = cluster === undefined ? configs : configs.filter(({ name }) => name === cluster)
  if (shown.length === 0)
    return problemView(`There is no cluster ${cluster} that you may see: \`/pg clusters\` lists them.`)
  const alike = Map.groupBy(shown, ({ notify, access, approvals }) =>
    JSON.stringify([callsOf(notify), access.approvers, approvals.expireAfterMs]),
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
