import { z } from 'zod'
import type { Action } from '../domain/session/action.ts'
import {
  acknowledgeAction,
  breakGlassAction,
  detailsAction,
  offerAgainAction,
  snoozeAction,
} from '../views/card/card.ts'
import { showAllAction } from '../views/card/digest.ts'

/** Meaning of a button of ours. */
export type ButtonAction =
  | { readonly kind: 'approve' | 'deny'; readonly action: Action; readonly proposalId: string }
  | { readonly kind: 'details' | 'showAll'; readonly cardId: string }
  | { readonly kind: 'acknowledge' | 'snooze'; readonly incidentId: string }
  | { readonly kind: 'offerAgain' | 'breakGlass'; readonly proposalId: string }
  /** None of ours, or damaged. */
  | { readonly kind: 'malformed' }

const id = z.uuid()

/** Reads the id and the value of a button; of the rest of the payload nothing is believed. */
export function readButton(actionId: unknown, value: unknown): ButtonAction {
  const parsed = id.safeParse(value)
  if (!parsed.success || typeof actionId !== 'string') return { kind: 'malformed' }
  const decision = /^(approve|deny)_(cancel|terminate)$/.exec(actionId)
  if (decision)
    return { kind: decision[1] as 'approve' | 'deny', action: decision[2] as Action, proposalId: parsed.data }
  if (actionId === showAllAction) return { kind: 'showAll', cardId: parsed.data }
  if (actionId === detailsAction) return { kind: 'details', cardId: parsed.data }
  if (actionId === offerAgainAction) return { kind: 'offerAgain', proposalId: parsed.data }
  if (actionId === acknowledgeAction) return { kind: 'acknowledge', incidentId: parsed.data }
  if (actionId === snoozeAction) return { kind: 'snooze', incidentId: parsed.data }
  if (actionId === breakGlassAction) return { kind: 'breakGlass', proposalId: parsed.data }
  return { kind: 'malformed' }
}
