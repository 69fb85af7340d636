import type { Proposal } from '../../domain/approvals/proposal.ts'
import { type Leaf, type Line, plainWords, richText, section, user, userGroup, type View } from '../kit.ts'
import { shortNameAndPid } from '../words.ts'
import { membersWords } from './bulk.ts'

/** A person or a user group by its id, as a mention. */
export const mentionOf = (id: string): Leaf => (id.startsWith('S') ? userGroup(id) : user(id))

/** Mentions with commas, and a word before the last one. */
export const mentions = (ids: readonly string[], last: 'and' | 'or' = 'and'): Line =>
  ids.flatMap((id, index) => [
    ...(index === 0 ? [] : [index === ids.length - 1 ? ` ${last} ` : ', ']),
    mentionOf(id),
  ])

/** Asks the approvers in the thread of a card, who are notified by that. */
export function askNote({
  by,
  approvers,
  proposal,
  link,
}: {
  readonly by: string
  readonly approvers: readonly string[]
  readonly proposal: Proposal
  /** Address of the card, as Slack returned it. */
  readonly link: string | null
}): View {
  const { action, session, key, bulk } = proposal
  const what = `${action} ${bulk ? membersWords(bulk) : shortNameAndPid(session)} on ${key.cluster}`
  const line: Line = [
    ...mentions(approvers),
    ', ',
    user(by),
    ' asks you to decide: ',
    link ? { type: 'link', url: link, text: what } : what,
    '.',
  ]
  return { text: plainWords(line), blocks: [richText(section(...line))] }
}
