import type { ModalView } from '@slack/types'
import { expect, test } from 'vitest'
import type { Action } from '../../../src/domain/session/action.ts'
import { decisions } from '../../../src/views/card/card.ts'
import { reasonModal } from '../../../src/views/card/reason.ts'
import { codeModal } from '../../../src/views/secondFactor.ts'
import { session } from '../../support/builders.ts'
import { cardState } from '../../support/cards.ts'
import { bulkProposal, proposal } from '../../support/proposals.ts'

const buttonsOf = ({ submit, close }: ModalView) => [submit?.text, close?.text]

test.each<[Action, number | null, string, string, string]>([
  ['cancel', null, 'Cancel the query', 'Keep it running', 'it'],
  ['cancel', 1, 'Cancel the query', 'Keep it running', '1 session'],
  ['cancel', 2, 'Cancel the queries', 'Keep them running', '2 sessions'],
  ['terminate', null, 'Terminate', 'Leave it', 'it'],
  ['terminate', 2, 'Terminate all', 'Leave them', '2 sessions'],
])('to %s of %j is confirmed by "%s"', (action, many, confirm, deny, whom) => {
  const sessions = Array.from({ length: many ?? 1 }, (_, n) => session(n + 1))
  const one = many === null ? proposal({ action }, sessions[0]) : bulkProposal(sessions, { action })
  const card = cardState([one], { approvers: ['Dana'], breakGlass: true })
  expect(decisions(one, card)[0]?.confirm).toMatchObject({ confirm: { text: confirm }, deny: { text: deny } })
  expect(buttonsOf(codeModal('approve', one, card))).toEqual([confirm, deny])
  const glass = codeModal('breakGlass', one, card)
  expect(buttonsOf(glass)).toEqual([confirm, deny])
  expect(JSON.stringify(glass)).toContain(`Why do you ${action} ${whom} alone?`)
  expect(buttonsOf(reasonModal('breakGlass', one))).toEqual([confirm, deny])
  expect(buttonsOf(reasonModal('deny', one))).toEqual(['Deny', 'Decide later'])
})
