import type { Bulk } from '../../domain/approvals/members.ts'
import type { Proposal } from '../../domain/approvals/proposal.ts'
import type { Action } from '../../domain/session/action.ts'
import { mentions } from '../card/ask.ts'
import { membersWords } from '../card/bulk.ts'
import { code, type Line, moment, plainWords, richText, section, type View } from '../kit.ts'
import { count, shortNameAndPid } from '../words.ts'

/** Answers who asked for a session that a card asks for already. */
export function joinedView(
  how: 'joined' | 'known' | 'underWay',
  { action, session, joined, bulk }: Proposal,
  { link, mayApprove }: { readonly link: string | null; readonly mayApprove: boolean },
): View {
  const card: Line = link ? [' ', { type: 'link', url: link, text: 'Open the card' }] : []
  const what = `${action} ${bulk ? membersWords(bulk) : shortNameAndPid(session)}`
  const others = mayApprove ? '' : ' You asked for it, so somebody else has to approve it.'
  switch (how) {
    case 'joined':
      return view([
        `A card asks for this already (${what}), so your request joined it: your name${joined?.at(-1)?.reason ? ' and your reason stand' : ' stands'} there.${others}`,
        ...card,
      ])
    case 'known':
      return view([`You asked for this already, or approved it (${what}): it stands as it was.`, ...card])
    case 'underWay':
      return view([
        `This is approved and is being carried out (${what}); the card shows what comes of it.`,
        ...card,
      ])
  }
}

/** Answers who asked for many, where nobody could be asked for. */
export function nobodyView(
  action: Action,
  cluster: string,
  chosenBy: string,
  leftOut: Bulk['leftOut'],
): View {
  const many = leftOut.reduce((sum, { pids }) => sum + pids.length, 0)
  return view([
    many === 0
      ? `Nobody on ${cluster} matches `
      : `Nobody on ${cluster} is left to ${action}: ${count(many, 'session')} of `,
    code(chosenBy),
    many === 0 ? ', so nothing was asked for.' : ' cannot be.',
    ...leftOut.slice(0, 3).map(({ why, pids }) => ` ${pids.slice(0, 5).join(', ')}: ${why}`),
  ])
}

/** Answers who pressed "Ask them". */
export function askedView(
  approvers: readonly string[],
  askedAt: number | null,
  { link }: { readonly link: string | null },
): View {
  const card: Line = link ? [' ', { type: 'link', url: link, text: 'Open the card' }] : []
  return view(
    askedAt === null
      ? ['Asked ', ...mentions(approvers), ' in the thread of the card.', ...card]
      : [
          'They were asked at ',
          moment(askedAt),
          ' in the thread of the card; once in five minutes is enough.',
          ...card,
        ],
  )
}

const view = (line: Line): View => ({ text: plainWords(line), blocks: [richText(section(...line))] })
