import type { Proposal } from '../../domain/approvals/proposal.ts'
import { list } from '../../domain/text/sentence.ts'
import { bold, deadline, type Line, moment, user } from '../kit.ts'
import { count, onOneLine } from '../words.ts'
import type { CardState } from './cardState.ts'
import { firstSentences, firstWords, type Room, unlimited } from './fit.ts'
import { outcomeSentence } from './outcome.ts'

/** Says where a proposal stands: who must approve until when, or who decided what. */
export function standing(
  proposal: Proposal,
  { people, approvers: names }: Pick<CardState, 'people' | 'approvers'>,
  room: Room = unlimited,
): Line {
  const approvers = proposal.approvals.flatMap(({ userId }, index) => [
    ...(index > 0 ? [', '] : []),
    user(userId),
  ])
  const by: Line = proposal.brokeGlass
    ? [
        bold('BREAK GLASS'),
        ' by ',
        user(proposal.brokeGlass.userId),
        ` alone: ${firstWords(proposal.brokeGlass.reason, room.reason)}`,
      ]
    : ['Approved by ', ...approvers]
  switch (proposal.state) {
    case 'open': {
      const missing = Math.max(1, people[proposal.action] - proposal.approvals.length)
      const from = room.names && names.length > 0 ? ` of ${firstWords(list(names.slice(0, 4), 'or'), 8)}` : ''
      return [
        `Needs ${count(missing, approvers.length > 0 ? 'more approval' : 'approval')}${from} until `,
        deadline(proposal.expiresAt),
        ...(approvers.length > 0 ? ['; approved by ', ...approvers] : []),
        '.',
        ...deniedBefore(proposal, room),
      ]
    }
    case 'claimed':
      return [...by, '; sending …']
    case 'done':
      return [...by, `. ${firstSentences(outcomeSentence(proposal), room.sentences)}`]
    case 'denied':
      return [
        'Denied by ',
        ...(proposal.decidedBy ? [user(proposal.decidedBy)] : ['somebody']),
        ...(proposal.decision ? [`: ${firstWords(onOneLine(proposal.decision), room.reason)}`] : ['.']),
      ]
    case 'expired':
      return ['Expired ', moment(proposal.expiresAt), ': nothing was sent.']
    case 'withdrawn':
      return [`Withdrawn: ${firstWords(proposal.decision ?? 'the session changed', room.reason)}.`]
  }
}

/** Says who denied an action on this session before, and why. The next approver should know. */
const deniedBefore = ({ denial }: Proposal, room: Room): Line =>
  denial
    ? [
        ' Denied before by ',
        user(denial.userId),
        denial.reason ? `: ${firstWords(onOneLine(denial.reason), room.reason)}` : '.',
      ]
    : []
