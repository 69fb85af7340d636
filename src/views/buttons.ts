import type { Button, Overflow } from '@slack/types'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { HolderNames } from '../domain/incidents/connectionHolders.ts'
import type { Action } from '../domain/session/action.ts'
import type { SessionKey } from '../domain/session/session.ts'
import { button, plainText, truncate } from './kit.ts'
import { onOneLine } from './words.ts'

/** The ids of all our buttons: https://docs.slack.dev/reference/block-kit/block-elements/button-element */
export const detailsAction = 'pg_details'
export const offerAgainAction = 'pg_offer_again'
export const breakGlassAction = 'pg_break_glass'
export const acknowledgeAction = 'pg_acknowledge'
export const takeOverAction = 'pg_take_over'
export const handBackAction = 'pg_hand_back'
export const handOverAction = 'pg_hand_over'
export const snoozeAction = 'pg_snooze'
/** The menu beside it, see `snoozeMenu`. */
export const snoozeForAction = 'pg_snooze_for'
export const showAllAction = 'pg_show_all'
export const askAction = 'pg_ask'
export const refreshAction = 'pg_refresh'
/** In the list of a bulk request: takes one session off; shows another page. */
export const takeOffAction = 'pg_take_off'
export const turnListActions = { back: 'pg_list_back', on: 'pg_list_on' } as const
/** Asks for a bulk request, see `proposeIdleButton`. */
export const proposeIdleAction = 'pg_propose_idle'
export const refreshAnswerAction = 'pg_refresh_answer'
/** The same with another page of it. */
export const pageActions = { newer: 'pg_newer', older: 'pg_older' } as const
/** The same about another moment of the past. */
export const momentActions = { earlier: 'pg_earlier', later: 'pg_later', change: 'pg_next_change' } as const
export const showAnswerAction = 'pg_show_answer'
/** Shows a report to a channel that the person chooses. */
export const shareReportAction = 'pg_share_report'
export const refreshHomeAction = 'pg_refresh_home'
/** The menu of clusters in the modal of a shortcut. */
export const pickClusterAction = 'pg_pick_cluster'
export const proposeActions = { cancel: 'pg_propose_cancel', terminate: 'pg_propose_terminate' } as const

/**
 * Makes a button that asks for an approval, as `/pg cancel` and `/pg terminate` do. Its value only says for which session:
 * whether it is still there, and may be asked for, is found out when somebody presses.
 * @param whom its name and pid, where they are known
 */
export const proposeButton = (action: Action, key: SessionKey, whom: string = String(key.pid)): Button =>
  button(proposeActions[action], `Propose: ${action} ${whom}`, JSON.stringify(key))

/**
 * Makes the button that opens the details of a card.
 * @param what the headline of the card, where there are several
 */
export const detailsButton = (cardId: string, what = ''): Button =>
  button(detailsAction, what === '' ? 'Details' : `Details: ${what}`, cardId)

/** Slack takes no longer value: https://docs.slack.dev/reference/block-kit/block-elements/button-element */
const longestValue = 2000

/**
 * Makes a button whose value is a question, as text after `/pg`; null for one that is too long. It is parsed, and access is
 * checked, at each press.
 */
function answerButton(actionId: string, label: string, command: string): Button | null {
  const value = JSON.stringify({ command })
  return value.length > longestValue ? null : button(actionId, label, value)
}

/** Makes the button that reads an answer again, in place. */
export const refreshAnswerButton = (command: string): Button | null =>
  answerButton(refreshAnswerAction, 'Refresh', command)

/** Makes the button that turns an answer to another page, in place. */
export const pageButton = (to: keyof typeof pageActions, command: string): Button | null =>
  answerButton(pageActions[to], to === 'newer' ? 'Newer' : 'Older', command)

const momentLabels = { earlier: 'Earlier', later: 'Later', change: 'Next change' } as const

/** Makes the button that goes to another moment of the past, in place. */
export const momentButton = (to: keyof typeof momentActions, command: string): Button | null =>
  answerButton(momentActions[to], momentLabels[to], command)

/** Makes a button that shows another answer. */
export const showAnswerButton = (label: string, command: string): Button | null =>
  answerButton(showAnswerAction, label, command)

/**
 * Makes the button that asks to end what a holder of connections does not use: who presses asks, and approvers decide. Its value
 * only says whose sessions; who of them is idle is looked up when somebody presses.
 */
export function proposeIdleButton(
  cluster: string,
  { usename, applicationName, clientAddr, datname }: HolderNames,
): Button {
  const value = JSON.stringify({ cluster, usename, applicationName, clientAddr, datname })
  const whom = truncate(onOneLine(applicationName || usename), 24)
  return button(proposeIdleAction, `Propose: terminate idle ${whom}`, value)
}

/** For how long the menu beside "Snooze 30 min" silences an incident, as it is labelled. */
export const snoozeChoices = {
  '2h': 'Snooze 2 h',
  morning: 'Snooze until 8:00',
  over: 'Snooze until it is over',
} as const
export type SnoozeChoice = keyof typeof snoozeChoices

/** Makes the menu of longer snoozes. */
export const snoozeMenu = (incidentId: string): Overflow => ({
  type: 'overflow',
  action_id: snoozeForAction,
  options: Object.entries(snoozeChoices).map(([choice, label]) => ({
    text: plainText(label, 75),
    value: `${choice} ${incidentId}`,
  })),
})

/** Words the two buttons of a confirm dialog, so that nobody has to choose between "Back" and "Cancel". */
export function confirmWords({ action, bulk }: Pick<Proposal, 'action' | 'bulk'>) {
  const many = (bulk?.members.length ?? 1) > 1
  const [confirm, deny] =
    action === 'cancel'
      ? [many ? 'Cancel the queries' : 'Cancel the query', many ? 'Keep them running' : 'Keep it running']
      : [many ? 'Terminate all' : 'Terminate', many ? 'Leave them' : 'Leave it']
  // A modal takes no more characters.
  return { confirm: plainText(confirm, 24), deny: plainText(deny, 24) }
}
