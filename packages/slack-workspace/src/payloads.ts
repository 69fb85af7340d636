import { type Choice, type Control, chosen, controlsIn, initialChoice } from './elements.ts'
import type { Block, Channel, Json, User } from './types.ts'

/** Returns the name of a channel in payloads. */
export const nameFor = (channel: Channel) =>
  ({ public: channel.name, private: 'privategroup', im: 'directmessage' })[channel.kind]
export const userObject = (user: User): Json => ({
  id: user.id,
  username: user.name,
  name: user.name,
  team_id: user.teamId,
})

/**
 * The control somebody means. A block's id changes with each edit, and a message may be edited between the look and the
 * press (a confirm dialog takes its time): what the client showed is sent all the same, as Slack's own clients do.
 * Throws with what is there instead when only an action id is given.
 */
export const findControl = (
  blocks: readonly Block[],
  wanted: { readonly actionId: string; readonly blockId?: string; readonly value?: string },
  where: string,
): Control => {
  const controls = controlsIn(blocks)
  const meant = controls.filter(({ element }) => element.action_id === wanted.actionId)
  const found =
    wanted.blockId === undefined
      ? meant[0]
      : (meant.find(({ blockId }) => blockId === wanted.blockId) ??
        meant.find(({ element }) => element.type !== 'button' || element.value === wanted.value))
  if (found) return found
  if (wanted.blockId !== undefined && wanted.value !== undefined) {
    const { actionId: action_id, value, blockId } = wanted
    return { element: { type: 'button', action_id, value, text: { type: 'plain_text', text: '' } }, blockId }
  }
  const there = controls.map(({ element }) => String(element.action_id)).join(', ')
  throw new Error(`no control ${wanted.actionId} in ${where}; there: ${there || 'none'}`)
}

/** The entry of `actions` that says which control was used, and how. `ts` is the moment's `action_ts`. */
export const actionOf = ({ element, blockId }: Control, value: string | undefined, ts: string): Json => {
  const shared = {
    type: element.type,
    action_id: element.action_id,
    block_id: blockId,
    action_ts: ts,
  }
  if (element.type === 'button') {
    const { text, style, url, confirm } = element
    const carried = value ?? element.value
    return {
      ...shared,
      text,
      ...(carried === undefined ? {} : { value: carried }),
      ...(style ? { style } : {}),
      ...(url ? { url } : {}),
      ...(confirm ? { confirm } : {}),
    }
  }
  const { placeholder, confirm } = element
  return {
    ...shared,
    ...chosen(element, value ?? null),
    ...(placeholder ? { placeholder } : {}),
    ...(confirm ? { confirm } : {}),
  }
}

/** Typed and chosen values: by `block_id action_id`, or by the action id alone when it stands in one block only. */
export type Values = Readonly<Record<string, Choice>>

export const valueKey = ({ element, blockId }: Control): string => `${blockId} ${element.action_id}`

/** `state.values`: what every input holds, by block and action. */
export const valuesOf = (blocks: readonly Block[], given: Values = {}): Json => {
  const values: Record<string, Record<string, unknown>> = {}
  for (const control of controlsIn(blocks)) {
    const { element, blockId } = control
    if (element.type === 'button' || element.type === 'overflow') continue
    const id = String(element.action_id)
    const key = [valueKey(control), id].find((one) => Object.hasOwn(given, one))
    const choice = key === undefined ? initialChoice(element) : (given[key] as Choice)
    values[blockId] = { ...values[blockId], [id]: { type: element.type, ...chosen(element, choice) } }
  }
  return values
}
