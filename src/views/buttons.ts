import type { Button } from '@slack/types'
import type { Action } from '../domain/session/action.ts'
import type { SessionKey } from '../domain/session/session.ts'
import { button, plainText } from './kit.ts'

/** The ids of all our buttons: https://docs.slack.dev/reference/block-kit/block-elements/button-element */
export const detailsAction = 'pg_details'
export const offerAgainAction = 'pg_offer_again'
export const breakGlassAction = 'pg_break_glass'
export const acknowledgeAction = 'pg_acknowledge'
export const snoozeAction = 'pg_snooze'
export const showAllAction = 'pg_show_all'
export const askAction = 'pg_ask'
export const refreshAction = 'pg_refresh'
export const proposeActions = { cancel: 'pg_propose_cancel', terminate: 'pg_propose_terminate' } as const

/**
 * Makes a button that asks for an approval, as `/pg cancel` and `/pg terminate` do. Its value only says for which session:
 * whether it is still there, and may be asked for, is found out when somebody presses.
 * @param whom its name and pid, where they are known
 */
export const proposeButton = (action: Action, key: SessionKey, whom: string = String(key.pid)): Button =>
  button(proposeActions[action], `Propose: ${action} ${whom}`, JSON.stringify(key))

/** Words the two buttons of a confirm dialog, so that nobody has to choose between "Back" and "Cancel". */
export const confirmWords = (action: Action) => ({
  confirm: plainText(action === 'cancel' ? 'Cancel the query' : 'Terminate', 30),
  deny: plainText(action === 'cancel' ? 'Keep it running' : 'Leave it', 30),
})
