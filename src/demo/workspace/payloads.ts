import { type Choice, type Control, chosen, controlsIn, initialChoice } from './elements.ts'
import type { Block, Channel, Json, User } from './types.ts'

/** What payloads call a channel. */
export const nameFor = (channel: Channel) =>
  ({ public: channel.name, private: 'privategroup', im: 'directmessage' })[channel.kind]
export const userObject = (user: User): Json => ({
  id: user.id,
  username: user.name,
  name: user.name,
  team_id: user.teamId,
})

/** The control somebody means. Throws with what is there instead. */
export const findControl = (
  blocks: readonly Block[],
  wanted: { readonly actionId: string; readonly blockId?: string },
  where: string,
): Control => {
  const controls = controlsIn(blocks)
  const found = controls.find(
    ({ element, blockId }) =>
      element.action_id === wanted.actionId && (wanted.blockId === undefined || wanted.blockId === blockId),
  )
  if (found) return found
  const there = controls.map(({ element }) => String(element.action_id)).join(', ')
  throw new Error(`no control ${wanted.actionId} in ${where}; there: ${there || 'none'}`)
}

/** The entry of `actions` that tells which control was used, and how. `ts` is the moment's `action_ts`. */
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

/** `state.values`: what every input holds, by block and action. */
export const valuesOf = (blocks: readonly Block[], given: Readonly<Record<string, Choice>> = {}): Json => {
  const values: Record<string, Record<string, unknown>> = {}
  for (const { element, blockId } of controlsIn(blocks)) {
    if (element.type === 'button' || element.type === 'overflow') continue
    const id = String(element.action_id)
    const choice = Object.hasOwn(given, id) ? (given[id] as Choice) : initialChoice(element)
    values[blockId] = { ...values[blockId], [id]: { type: element.type, ...chosen(element, choice) } }
  }
  return values
}
