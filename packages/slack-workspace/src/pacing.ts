import type { Answer } from './faults.ts'
import type { Json } from './types.ts'

const gapMs = 1_000

/** https://docs.slack.dev/reference/methods/views.publish is of tier 4. */
const mostHomes = 100
const minuteMs = 60_000

/** Refuses a call that comes too early. */
const tooEarly = (seconds: number): Answer => ({
  status: 429,
  body: { ok: false, error: 'ratelimited' },
  headers: { 'retry-after': String(seconds) },
})

/** One `chat.postMessage` a second a channel (https://docs.slack.dev/apis/web-api/rate-limits), and 100 Homes a minute, when it is switched on. */
export const createPacing = (now: () => number) => {
  const last = new Map<string, number>()
  let homes: number[] = []
  let on = false
  return {
    set: (isOn: boolean) => {
      on = isOn
      last.clear()
      homes = []
    },
    /** The refusal of a call that comes too early; a call that may pass counts. */
    refuse: (method: string, args: Json): Answer | undefined => {
      if (on && method === 'views.publish') {
        homes = homes.filter((at) => now() - at < minuteMs)
        if (homes.length >= mostHomes) return tooEarly(Math.ceil(((homes[0] ?? 0) + minuteMs - now()) / 1000))
        homes.push(now())
      }
      if (!on || method !== 'chat.postMessage') return undefined
      const channel = String(args.channel)
      if (now() - (last.get(channel) ?? Number.NEGATIVE_INFINITY) < gapMs) return tooEarly(1)
      last.set(channel, now())
      return undefined
    },
  }
}

export type Pacing = ReturnType<typeof createPacing>
