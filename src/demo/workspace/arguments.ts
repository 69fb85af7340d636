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

/**
 * The conversation an app names. What it must not see does not exist for it. A user's id stands for the direct messages
 * with that user, a `#name` for the channel, as `chat.postMessage` documents.
 */
export const channelFor = (state: State, given: string): Channel => {
  const bot = state.seed.app.botUserId
  if (/^[UW]/.test(given)) {
    const user = state.users.get(given)
    if (!user || user.isBot) throw new SlackRefusal('channel_not_found')
    return state.openIm(user.id)
  }
  const channel =
    state.channels.get(given) ??
    [...state.channels.values()].find((entry) => entry.kind !== 'im' && `#${entry.name}` === given)
  if (!channel) throw new SlackRefusal('channel_not_found')
  if (channel.kind !== 'public' && !channel.members.includes(bot)) throw new SlackRefusal('channel_not_found')
  return channel
}

export const memberOnly = (state: State, channel: Channel): Channel => {
  if (!channel.members.includes(state.seed.app.botUserId)) throw new SlackRefusal('not_in_channel')
  return channel
}
