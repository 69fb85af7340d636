import { randomBytes } from 'node:crypto'
import { checkAttachments, checkBlocks, checkKinds, checkMetadata, checkText, textLimit } from './limits.ts'
import type { State } from './state.ts'
import { type Block, type Json, SlackRefusal } from './types.ts'

/** Place where an answer to an interaction goes. */
export type ResponseContext = {
  readonly user: string
  readonly channel: string
  /** The message whose control was pressed. */
  readonly origin?: { readonly ts: string; readonly ephemeral: boolean }
}

/** `true` and `"true"` alike: Slack's own examples use both. */
const isTrue = (value: unknown) => value === true || value === 'true'

/**
 * An answer in the body of an ack or to a `response_url`: private unless `response_type` is `in_channel`; may replace or
 * delete the message it came from. https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
 */
export const applyResponse = (state: State, context: ResponseContext, answer: Json): void => {
  const { origin, channel, user } = context
  const blocks = answer.blocks === undefined ? undefined : answer.blocks
  const whisper = origin?.ephemeral ? state.findEphemeral(channel, origin.ts) : undefined

  if (isTrue(answer.delete_original) && origin) {
    if (whisper) state.removeEphemeral(whisper)
    else if (!origin.ephemeral) state.remove(channel, origin.ts)
    return
  }
  checkText(answer.text, blocks, textLimit.response)
  checkAttachments(answer.attachments)
  checkMetadata(answer.metadata)
  if (blocks !== undefined) checkBlocks(blocks)
  checkKinds(blocks, state.refusedKinds())
  const text = typeof answer.text === 'string' ? answer.text : ''
  const kept = blocks as readonly Block[] | undefined

  if (isTrue(answer.replace_original) && origin) {
    if (whisper) state.replaceEphemeral(whisper, text, kept)
    else if (!origin.ephemeral) state.update(channel, origin.ts, { text, blocks: kept ?? [] })
    return
  }
  const threadTs = typeof answer.thread_ts === 'string' ? answer.thread_ts : undefined
  const from = state.seed.app.botUserId
  if (answer.response_type === 'in_channel') {
    state.post({
      channel,
      user: from,
      text,
      ...(kept ? { blocks: kept } : {}),
      ...(threadTs ? { threadTs } : {}),
    })
  } else {
    state.whisper({
      channel,
      to: user,
      from,
      text,
      ...(kept ? { blocks: kept } : {}),
      ...(threadTs ? { thread_ts: threadTs } : {}),
    })
  }
}

type Options = { readonly baseUrl: () => string; readonly uses: number; readonly ttlMs: number }

/** `response_url`s: five uses in thirty minutes each. */
export const createResponseUrls = (state: State, options: Options) => {
  const known = new Map<string, { context: ResponseContext; uses: number; until: number }>()

  const issue = (kind: 'commands' | 'actions', context: ResponseContext): string => {
    const key = `${kind}/${state.seed.team.id}/${randomBytes(12).toString('hex')}`
    for (const [old, { until }] of known) if (state.now() > until + options.ttlMs) known.delete(old)
    known.set(key, { context, uses: 0, until: state.now() + options.ttlMs })
    return `${options.baseUrl()}/${key}`
  }

  /** Answers as Slack does: status and body. `path` begins with `/commands/` or `/actions/`. */
  const use = (path: string, answer: unknown): { readonly status: number; readonly body: Json } => {
    const entry = known.get(path.slice(1))
    if (!entry) return { status: 404, body: { ok: false, error: 'invalid_url' } }
    if (state.now() > entry.until) return { status: 404, body: { ok: false, error: 'expired_url' } }
    if (entry.uses >= options.uses) return { status: 404, body: { ok: false, error: 'used_url' } }
    if (typeof answer !== 'object' || answer === null)
      return { status: 400, body: { ok: false, error: 'invalid_payload' } }
    try {
      applyResponse(state, entry.context, answer as Json)
    } catch (error) {
      if (!(error instanceof SlackRefusal)) throw error
      return { status: 400, body: { ok: false, error: error.code, ...error.extra } }
    }
    entry.uses += 1
    return { status: 200, body: { ok: true } }
  }

  return { issue, use }
}

export type ResponseUrls = ReturnType<typeof createResponseUrls>
