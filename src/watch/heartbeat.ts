import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { backoff } from '../backoff.ts'
import type { Log } from '../log.ts'

/** A dead-man's switch: somebody else raises the alarm when it has not heard of us for a while. */
export type Heartbeat = {
  /** A look at a cluster has ended. `seen`: it was read with what its sessions do, and what follows was written down. */
  looked(cluster: string, seen: boolean): void
  /** There is no cluster to watch here, and others watch them all. */
  idled(): void
  /** Resolves when no request is under way; none is sent after. */
  stop(): Promise<void>
}

/** Rest of the cycle, and the time when the next request may go. Times in milliseconds of one clock. */
export type Pulse = {
  /** Clusters that were not seen since the last cycle was full. */
  readonly missing: ReadonlySet<string>
  readonly failures: number
  readonly notBefore: number
}

/** Reply of the other side: an HTTP status, or the code of the error that kept us from hearing it. */
export type HeartbeatReply =
  | { readonly status: number; readonly retryAfterMs: number }
  | { readonly code: string }

const timeoutMs = 10_000
/** Not longer: a check that allows some minutes of silence must not raise a false alarm. */
const pauses = { firstMs: 1_000, longestMs: 60_000 }

/**
 * Follows the cycle: it is full when every cluster was seen since the last one. One that is not seen any longer before
 * the others are through is missing again.
 * @returns whether to send a heartbeat now
 */
export function afterLook(
  pulse: Pulse,
  look: { readonly cluster: string; readonly seen: boolean },
  {
    clusters,
    allElse,
    now,
  }: { readonly clusters: readonly string[]; readonly allElse: boolean; readonly now: number },
): { readonly pulse: Pulse; readonly beat: boolean } {
  // What another replica watches by now is not missing here.
  const watched = new Set(clusters)
  const missing = new Set([...pulse.missing].filter((cluster) => watched.has(cluster)))
  if (look.seen) missing.delete(look.cluster)
  else missing.add(look.cluster)
  if (missing.size > 0) return { pulse: { ...pulse, missing }, beat: false }
  return { pulse: { ...pulse, missing: new Set(clusters) }, beat: allElse && now >= pulse.notBefore }
}

/** Backs off while it is not taken: 1 s, 2 s, 4 s, … a minute at most. */
export function afterReply(pulse: Pulse, reply: HeartbeatReply, now: number): Pulse {
  if (isTaken(reply)) return { ...pulse, failures: 0, notBefore: now }
  const asked = 'status' in reply ? reply.retryAfterMs : 0
  // 429 is a request to come less often.
  const least = 'status' in reply && reply.status === 429 ? 15_000 : 0
  const pause = Math.max(asked, least, backoff(pulse.failures, pauses))
  return { ...pulse, failures: pulse.failures + 1, notBefore: now + Math.min(pauses.longestMs, pause) }
}

const isTaken = (reply: HeartbeatReply): boolean =>
  'status' in reply && reply.status >= 200 && reply.status < 300

/**
 * @param url is asked for with a plain GET; a redirect is not followed. It is a secret and never logged. Null: nobody listens
 */
export function createHeartbeat(deps: {
  readonly url: string | null
  /** Returns the clusters that this process watches now. */
  readonly clusters: () => readonly string[]
  /** Returns true while messages reach Slack, and every other cluster is seen. */
  readonly allElse: () => boolean
  readonly log: Log
  /** Milliseconds of a clock that nobody sets: else it could keep us quiet for hours. */
  readonly steady: () => number
}): Heartbeat {
  const { url, clusters, allElse, log, steady } = deps
  if (url === null) return { looked: () => {}, idled: () => {}, stop: async () => {} }
  const stopping = new AbortController()
  // What is watched here is known at the first look.
  let pulse: Pulse = { missing: new Set(), failures: 0, notBefore: 0 }
  let isFirst = true
  let flight: Promise<void> | null = null

  const send = async () => {
    const reply = await ask(url, stopping.signal)
    if (stopping.signal.aborted) return
    const before = pulse.failures
    pulse = afterReply(pulse, reply, steady())
    // Once when it begins and once when it is over: the pages of the other side are not ours to watch.
    if (pulse.failures === 1) log.warn({ reply }, 'the heartbeat was not taken')
    if (pulse.failures === 0 && before > 0) log.info({ attempts: before }, 'the heartbeat is taken again')
  }

  const beat = () => {
    flight ??= send().finally(() => {
      flight = null
    })
  }

  return {
    looked(cluster, seen) {
      if (stopping.signal.aborted) return
      const all = { clusters: clusters(), allElse: allElse(), now: steady() }
      if (isFirst) pulse = { ...pulse, missing: new Set(all.clusters) }
      isFirst = false
      const next = afterLook(pulse, { cluster, seen }, all)
      pulse = next.pulse
      if (next.beat) beat()
    },
    idled() {
      if (!stopping.signal.aborted && allElse() && steady() >= pulse.notBefore) beat()
    },
    async stop() {
      stopping.abort()
      await flight
    },
  }
}

/** One GET on a connection of its own. Never throws: what went wrong is reported by its code, without the address. */
async function ask(url: string, stopping: AbortSignal): Promise<HeartbeatReply> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)])
  const get = url.startsWith('https:') ? getHttps : getHttp
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { agent: false, signal, headers: { 'user-agent': 'pg-marshal' } }, resolve).on('error', reject)
    })
    // What it says does not matter, and may be long.
    response.on('error', () => {}).destroy()
    const wait = Number(response.headers['retry-after'])
    return { status: response.statusCode ?? 0, retryAfterMs: wait > 0 ? wait * 1000 : 0 }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN'
    return { code: code === 'ABORT_ERR' ? 'TIMEOUT' : code }
  }
}
