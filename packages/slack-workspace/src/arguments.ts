import { isObject } from './rules.ts'
import type { State } from './state.ts'
import { type Channel, type Json, SlackRefusal } from './types.ts'

/**
 * Slack takes arguments from the address, from a form (in which every structure is a JSON string) and from JSON:
 * https://docs.slack.dev/apis/web-api/#post_bodies. A token counts everywhere but in JSON, where only the header does.
 * Throws a {@link SlackRefusal} for a body that is none of these.
 */
export const parseArguments = async (
  query: URLSearchParams,
  contentType: string,
  body: string,
): Promise<Json> => {
  const asked = Object.fromEntries(query)
  if (contentType.startsWith('application/json')) {
    let parsed: unknown
    try {
      parsed = JSON.parse(body || '{}')
    } catch {
      throw new SlackRefusal('invalid_json')
    }
    if (!isObject(parsed)) throw new SlackRefusal('json_not_object')
    const { token: _ignored, ...given } = parsed
    return { ...asked, ...given }
  }
  if (contentType.startsWith('application/x-www-form-urlencoded'))
    return { ...asked, ...Object.fromEntries(new URLSearchParams(body)) }
  if (!contentType.startsWith('multipart/form-data')) {
    if (body === '' || contentType.startsWith('text/plain')) return asked
    throw new SlackRefusal(contentType === '' ? 'missing_post_type' : 'invalid_post_type')
  }
  try {
    const form = await new Response(body, { headers: { 'content-type': contentType } }).formData()
    return { ...asked, ...Object.fromEntries([...form].filter(([, value]) => typeof value === 'string')) }
  } catch {
    throw new SlackRefusal('invalid_form_data')
  }
}

export const str = (args: Json, name: string): string | undefined => {
  const value = args[name]
  return typeof value === 'string' && value !== ''
    ? value
    : typeof value === 'number'
      ? String(value)
      : undefined
}

export const need = (args: Json, name: string): string => {
  const value = str(args, name)
  if (value === undefined) {
    throw new SlackRefusal('invalid_arguments', {
      response_metadata: { messages: [`[ERROR] missing required field: ${name}`] },
    })
  }
  return value
}

export const bool = (args: Json, name: string): boolean =>
  [true, 'true', '1', 1].includes(args[name] as string)

export const structure = (args: Json, name: string, refusal: string): unknown => {
  const value = args[name]
  if (typeof value !== 'string') return value
  if (value === '') return undefined
  try {
    return JSON.parse(value)
  } catch {
    throw new SlackRefusal(refusal)
  }
}

/** A page of a list with Slack's cursors. */
export const page = <T>(
  items: readonly T[],
  args: Json,
  standard: number,
  max: number,
): { readonly items: readonly T[]; readonly cursor: string } => {
  const wanted = Number(str(args, 'limit') ?? 0)
  if (!Number.isInteger(wanted) || wanted < 0) throw new SlackRefusal('invalid_limit')
  const cursor = str(args, 'cursor')
  const start = cursor ? Number(Buffer.from(cursor, 'base64url').toString()) : 0
  if (!Number.isInteger(start) || start < 0) throw new SlackRefusal('invalid_cursor')
  const end = start + Math.min(wanted || standard, max)
  return {
    items: items.slice(start, end),
    cursor: end < items.length ? Buffer.from(String(end)).toString('base64url') : '',
  }
}

/** The conversation of this id. What the app must not see does not exist for it. */
export const channelFor = (state: State, id: string): Channel => {
  const channel = state.channels.get(id)
  if (!channel || (channel.kind !== 'public' && !channel.members.includes(state.seed.app.botUserId)))
    throw new SlackRefusal('channel_not_found')
  return channel
}

/**
 * To whom a message goes. Only here a user's id stands for the direct messages with that user, and a name for the channel:
 * https://docs.slack.dev/reference/methods/chat.postMessage#channels. All else takes the id that the answer brings.
 */
export const addresseeFor = (state: State, given: string): Channel => {
  if (/^[UW]/.test(given)) {
    const user = state.users.get(given)
    if (!user || user.isBot) throw new SlackRefusal('channel_not_found')
    return state.openIm(user.id)
  }
  const named = [...state.channels.values()].find(
    ({ kind, name }) => kind !== 'im' && name === given.replace(/^#/, ''),
  )
  return channelFor(state, named?.id ?? given)
}

export const memberOnly = (state: State, channel: Channel): Channel => {
  if (!channel.members.includes(state.seed.app.botUserId)) throw new SlackRefusal('not_in_channel')
  return channel
}
