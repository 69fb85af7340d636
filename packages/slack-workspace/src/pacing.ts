import type { Answer } from './faults.ts'
import type { Json } from './types.ts'

const gapMs = 1_000

/** One `chat.postMessage` a second a channel (https://docs.slack.dev/apis/web-api/rate-limits), when it is switched on. */
export const createPacing = (now: () => number) => {
  const last = new Map<string, number>()
  let on = false
  return {
    set: (isOn: boolean) => {
      on = isOn
      last.clear()
    },
    /** The refusal of a call that comes too early; a call that may pass counts. */
    refuse: (method: string, args: Json): Answer | undefined => {
      if (!on || method !== 'chat.postMessage') return undefined
      const channel = String(args.channel)
      if (now() - (last.get(channel) ?? Number.NEGATIVE_INFINITY) < gapMs)
        return { status: 429, body: { ok: false, error: 'ratelimited' }, headers: { 'retry-after': '1' } }
      last.set(channel, now())
      return undefined
    },
  }
}

export type Pacing = ReturnType<typeof createPacing>
