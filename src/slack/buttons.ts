import { z } from 'zod'
import type { HolderNames } from '../domain/incidents/connectionHolders.ts'
import type { Action } from '../domain/session/action.ts'
import type { SessionKey } from '../domain/session/session.ts'
import {
  acknowledgeAction,
  askAction,
  breakGlassAction,
  detailsAction,
  handBackAction,
  handOverAction,
  momentActions,
  offerAgainAction,
  pageActions,
  pickClusterAction,
  proposeActions,
  proposeIdleAction,
  refreshAction,
  refreshAnswerAction,
  refreshHomeAction,
  type SnoozeChoice,
  shareReportAction,
  showAllAction,
  showAnswerAction,
  snoozeAction,
  snoozeChoices,
  snoozeForAction,
  takeOffAction,
  takeOverAction,
  turnListActions,
} from '../views/buttons.ts'

/** Meaning of a button of ours. */
export type ButtonAction =
  | { readonly kind: 'approve' | 'deny'; readonly action: Action; readonly proposalId: string }
  | { readonly kind: 'details' | 'refresh' | 'showAll'; readonly cardId: string }
  | {
      readonly kind: 'acknowledge' | 'takeOver' | 'handBack' | 'handOver' | 'shareReport'
      readonly incidentId: string
    }
  | { readonly kind: 'snooze'; readonly incidentId: string; readonly choice: '30m' | SnoozeChoice }
  | { readonly kind: 'offerAgain' | 'breakGlass' | 'ask'; readonly proposalId: string }
  | { readonly kind: 'propose'; readonly action: Action; readonly session: SessionKey }
  | {
      readonly kind: 'takeOff'
      readonly off: { readonly proposalId: string; readonly pid: number; readonly backendStart: string }
    }
  /** Another page of the list of a bulk request. */
  | { readonly kind: 'turnList'; readonly cardId: string; readonly page: number }
  /** The idle sessions of a holder of connections. */
  | { readonly kind: 'proposeIdle'; readonly cluster: string; readonly holder: HolderNames }
  /** The text after `/pg` of a question. */
  | { readonly kind: 'refreshAnswer' | 'showAnswer'; readonly command: string }
  | { readonly kind: 'refreshHome' }
  | { readonly kind: 'pickCluster'; readonly cluster: string }
  /** None of ours, or damaged. */
  | { readonly kind: 'malformed' }

const id = z.uuid()

/** Only what to look for: whether it is there, and may be asked for, is found out at each press. */
const sessionKey = z.strictObject({
  cluster: z.string().min(1).max(200),
  pid: z.int().positive(),
  backendStart: z.string().min(1).max(100),
})

/** One of the list of a bulk request. */
const listed = z.strictObject({ proposalId: id, ...sessionKey.omit({ cluster: true }).shape })

const holderName = z.string().max(200)

/** A holder of connections: an application that gives no name has an empty one. */
const holder = z.strictObject({
  cluster: sessionKey.shape.cluster,
  usename: holderName,
  applicationName: holderName,
  clientAddr: holderName,
  datname: holderName,
})

/** A question to ask again; what may be asked is found out at each press. */
const question = z.strictObject({ command: z.string().max(2000) })
const isSnoozeChoice = (text: string): text is SnoozeChoice => Object.hasOwn(snoozeChoices, text)

function readJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return null
  }
}

/** Reads the id and the value of a button; of the rest of the payload nothing is believed. */
export function readButton(actionId: unknown, value: unknown): ButtonAction {
  const proposed = (['cancel', 'terminate'] as const).find((action) => proposeActions[action] === actionId)
  if (proposed) {
    const session = sessionKey.safeParse(readJson(value))
    return session.success
      ? { kind: 'propose', action: proposed, session: session.data }
      : { kind: 'malformed' }
  }
  if (actionId === takeOffAction) {
    const off = listed.safeParse(readJson(value))
    return off.success ? { kind: 'takeOff', off: off.data } : { kind: 'malformed' }
  }
  if (actionId === proposeIdleAction) {
    const { success, data } = holder.safeParse(readJson(value))
    if (!success) return { kind: 'malformed' }
    const { cluster, ...names } = data
    return { kind: 'proposeIdle', cluster, holder: names }
  }
  if (actionId === turnListActions.back || actionId === turnListActions.on) {
    const [page = '', card] = String(value).split(' ')
    const shown = id.safeParse(card)
    return shown.success && /^[1-9]\d{0,3}$/.test(page)
      ? { kind: 'turnList', cardId: shown.data, page: Number(page) }
      : { kind: 'malformed' }
  }
  const inPlace = [refreshAnswerAction, ...Object.values(pageActions), ...Object.values(momentActions)].some(
    (known) => known === actionId,
  )
  if (inPlace || actionId === showAnswerAction) {
    const asked = question.safeParse(readJson(value))
    const kind = inPlace ? 'refreshAnswer' : 'showAnswer'
    return asked.success ? { kind, ...asked.data } : { kind: 'malformed' }
  }
  if (actionId === snoozeForAction) {
    const [choice = '', incident] = String(value).split(' ')
    const chosen = id.safeParse(incident)
    return chosen.success && isSnoozeChoice(choice)
      ? { kind: 'snooze', incidentId: chosen.data, choice }
      : { kind: 'malformed' }
  }
  if (actionId === refreshHomeAction) return { kind: 'refreshHome' }
  if (actionId === pickClusterAction) {
    const cluster = sessionKey.shape.cluster.safeParse(value)
    return cluster.success ? { kind: 'pickCluster', cluster: cluster.data } : { kind: 'malformed' }
  }
  const parsed = id.safeParse(value)
  if (!parsed.success || typeof actionId !== 'string') return { kind: 'malformed' }
  const decision = /^(approve|deny)_(cancel|terminate)$/.exec(actionId)
  if (decision)
    return { kind: decision[1] as 'approve' | 'deny', action: decision[2] as Action, proposalId: parsed.data }
  if (actionId === showAllAction) return { kind: 'showAll', cardId: parsed.data }
  if (actionId === refreshAction) return { kind: 'refresh', cardId: parsed.data }
  if (actionId === detailsAction) return { kind: 'details', cardId: parsed.data }
  if (actionId === offerAgainAction) return { kind: 'offerAgain', proposalId: parsed.data }
  if (actionId === askAction) return { kind: 'ask', proposalId: parsed.data }
  if (actionId === acknowledgeAction) return { kind: 'acknowledge', incidentId: parsed.data }
  if (actionId === takeOverAction) return { kind: 'takeOver', incidentId: parsed.data }
  if (actionId === handBackAction) return { kind: 'handBack', incidentId: parsed.data }
  if (actionId === handOverAction) return { kind: 'handOver', incidentId: parsed.data }
  if (actionId === shareReportAction) return { kind: 'shareReport', incidentId: parsed.data }
  if (actionId === snoozeAction) return { kind: 'snooze', incidentId: parsed.data, choice: '30m' }
  if (actionId === breakGlassAction) return { kind: 'breakGlass', proposalId: parsed.data }
  return { kind: 'malformed' }
}
