import type { Called, Notify } from '../../domain/incidents/ladder.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import { bold, code, truncate, type View } from '../kit.ts'
import { compose, type Line, lines, type Piece } from './page.ts'

/** Clusters with the same calls. */
export type OncallGroup = {
  readonly clusters: readonly string[]
  readonly notify: Notify
  readonly access: { readonly approvers: readonly string[] }
}

/** Shows who is called now, from where each name comes, and what happens when. By name: a mention would call them. */
export function oncallView(groups: readonly OncallGroup[], called: ReadonlyMap<string, Called>): View {
  return compose(
    'Who is called',
    groups.flatMap((group) => piecesOf(group, called, groups.length > 1)),
  )
}

function piecesOf(
  { clusters, notify, access }: OncallGroup,
  called: ReadonlyMap<string, Called>,
  several: boolean,
): Piece[] {
  const title: Piece[] = several
    ? [lines([bold(truncate(list(clusters), 200))])]
    : [lines([`On ${truncate(list(clusters), 200)}:`])]
  const { mention, from, remindAfterMs, escalate } = notify
  if (mention.length + escalate.length === 0)
    return [
      ...title,
      lines(['Nobody is called. Name people under ', code('notify.mention'), ' in the configuration.']),
    ]
  const names = (ids: readonly string[]) => peopleWords(ids, called)
  const steps: Line[] = [
    ...(mention.length > 0
      ? [
          [
            bold('At once'),
            `, by a ${from === 'critical' ? 'critical card' : 'card of a warning or worse'}, one that gets worse, and a request by hand: ${names(mention)}.`,
          ],
        ]
      : []),
    ...[
      ...(Number.isFinite(remindAfterMs) && mention.length > 0
        ? [{ at: remindAfterMs, says: 'the same people once more' }]
        : []),
      ...escalate.map(({ afterMs, mention }) => ({ at: afterMs, says: names(mention) })),
    ]
      .sort((a, b) => a.at - b.at)
      .map(
        ({ at, says }): Line => [bold(`After ${formatDuration(at / 1000)}`), ` without an answer: ${says}.`],
      ),
    ...(access.approvers.length > 0
      ? [[bold('Before a proposal expires'), ` with nobody having looked: ${names(access.approvers)}.`]]
      : []),
  ]
  return [
    ...title,
    { kind: 'bullets', lines: steps },
    lines(['An answer is an acknowledgement, an approval or a denial.']),
  ]
}

function peopleWords(ids: readonly string[], called: ReadonlyMap<string, Called>): string {
  const words = ids.map((id) => {
    const { name, members, unread } = called.get(id) ?? { name: id, members: null, unread: null }
    if (unread !== null) return `${name} (Slack does not say who that is: ${unread})`
    if (members === null) return name
    return members.length === 0 ? `${name} (nobody is in it now)` : `${name} (now ${list(members)})`
  })
  return truncate(list(words), 600)
}
