import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type AskedDocument, askedDocument, sessionDocument } from '../api/documents.ts'
import type { Env } from '../config/config.ts'
import { clean } from '../domain/text/clean.ts'
import { formatDuration, parseDuration } from '../domain/text/duration.ts'
import { misuseOf } from './check.ts'
import { type Out, sayProblem } from './out.ts'
import { createRemote, type Remote, type RemoteProblem, remoteFrom } from './remote.ts'

export const proposeHelp = `node src/main.ts propose: ask people to end a session; for scripts, through the HTTP API of a bot that runs

  propose cancel PID           ask to cancel its statement
  propose terminate PID        ask to end the session
  propose unblock PID          ask for the best way out of the jam that keeps this session waiting

  --cluster NAME               always needed
  --reason TEXT                always needed: why, for the people who decide
  --for WHO                    for whom you ask; shown as what you say
  --wait TIME                  wait so long for a decision and what came of it, like 10m; if absent, only ask
  --key TEXT                   the same call with the same key leads to the same proposal, for scripts that begin again
  --json                       print the proposal as JSON

PG_MARSHAL_URL is the address of the bot, like http://127.0.0.1:3000, PG_MARSHAL_TOKEN a token that may propose (docs/api.md).

Exit code: 0 approved and effective (without --wait: asked), 1 approved and without effect, or nobody knows, 2 asked wrongly,
3 denied, 4 nobody decided in time, 5 the session changed or is gone, so nothing was sent, 6 refused, 7 the bot or the cluster
cannot be reached.
`

/** 0: approved and effective. All others: see `proposeHelp`. */
export type ProposeExit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

/** Longest time that one call waits on the bot's side. Milliseconds. */
const longestCallMs = 30_000
/** Time for which a bot is tried that does not answer, where nothing is waited for. Milliseconds. */
const usualPatienceMs = 10_000

type Verb = 'cancel' | 'terminate' | 'unblock'

type Asking = {
  readonly verb: Verb
  readonly pid: number
  readonly cluster: string
  readonly reason: string
  readonly onBehalfOf: string | undefined
  /** Null: only ask. */
  readonly waitMs: number | null
  readonly key: string
  readonly json: boolean
}

/** `propose`: asks, waits, and says by its exit code what came of it. */
export async function propose(
  args: readonly string[],
  {
    env,
    out,
    err,
    steady,
  }: { readonly env: Env; readonly out: Out; readonly err: Out; readonly steady: () => number },
): Promise<ProposeExit> {
  const asking = readAsking(args)
  if (asking === 'help') {
    out.write(proposeHelp)
    return 0
  }
  if (typeof asking === 'string') {
    err.write(`${asking}\n\n${proposeHelp}`)
    return 2
  }
  const endsAt = steady() + (asking.waitMs ?? usualPatienceMs)
  const remote = createRemote({ settings: remoteFrom(env), steady, until: () => endsAt })
  const target = await targetOf(asking, remote)
  if ('problem' in target) return explain(target.problem, err)
  if ('nothing' in target) {
    sayProblem(err, target.nothing)
    return 5
  }
  const { cluster, reason, onBehalfOf } = asking
  const made = await remote.call('/api/v1/proposals', askedDocument, {
    body: { cluster, ...target, reason, ...(onBehalfOf !== undefined && { onBehalfOf }) },
    headers: { 'idempotency-key': asking.key },
  })
  if ('problem' in made) return explain(made.problem, err)
  if (asking.waitMs === null) {
    tell(made, asking, out)
    return 0
  }
  const minutes = formatDuration(asking.waitMs / 1000)
  err.write(
    `Asked to ${target.action} ${target.pid} on ${cluster}; waits up to ${minutes} for people to decide. ${linkOf(made)}\n`,
  )
  for (let latest = made; ; ) {
    const exit = exitOf(latest)
    const leftMs = endsAt - steady()
    if (exit !== null || leftMs <= 0) {
      tell(latest, asking, out)
      return exit ?? 4
    }
    const wait = `${Math.ceil(Math.min(leftMs, longestCallMs) / 1000)}s`
    const next = await remote.call(`/api/v1/proposals/${latest.id}?wait=${wait}`, askedDocument)
    if ('problem' in next) return explain(next.problem, err)
    latest = next
  }
}

function readAsking(args: readonly string[]): Asking | 'help' | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        cluster: { type: 'string' },
        reason: { type: 'string' },
        for: { type: 'string' },
        wait: { type: 'string' },
        key: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help) return 'help'
    const [verb, pid = '', ...more] = positionals
    if (!isVerb(verb) || !/^[1-9]\d{0,9}$/.test(pid) || more.length > 0)
      return 'Write "propose terminate PID", "propose cancel PID" or "propose unblock PID".'
    const { cluster, reason, wait, key = randomUUID(), json = false } = values
    if (!cluster) return 'Add --cluster NAME.'
    if (!reason?.trim()) return 'Add --reason TEXT: why, for the people who decide.'
    const waits = wait === undefined ? null : parseDuration(wait)
    if (waits && 'problem' in waits) return `--wait: ${waits.problem}`
    return {
      verb,
      pid: Number(pid),
      cluster,
      reason,
      onBehalfOf: values.for,
      waitMs: waits?.ms ?? null,
      key,
      json,
    }
  } catch (error) {
    return misuseOf(error instanceof Error ? error : new Error(String(error)))
  }
}

const isVerb = (word: string | undefined): word is Verb =>
  word === 'cancel' || word === 'terminate' || word === 'unblock'

type Target = {
  readonly action: 'cancel' | 'terminate'
  readonly pid: number
  readonly backendStart?: string
}

/** Finds whom to ask for: the session itself, or the one whose end is the best way out of its jam. */
async function targetOf(
  { verb, pid, cluster }: Asking,
  remote: Remote,
): Promise<Target | { readonly nothing: string } | { readonly problem: RemoteProblem }> {
  if (verb !== 'unblock') return { action: verb, pid }
  const seen = await remote.call(
    `/api/v1/clusters/${encodeURIComponent(cluster)}/sessions/${pid}`,
    sessionDocument,
  )
  if ('problem' in seen) return seen
  if (seen.jam === null || seen.session.blockedBy.length === 0)
    return { nothing: `Session ${pid} on ${cluster} waits for nobody now.` }
  const { action, pid: target, backendStart, reason } = seen.jam.recommendation
  if (action === null || backendStart === null)
    return { nothing: `Nothing can be asked for that would let ${pid} go on: ${reason}` }
  return { action, pid: target, backendStart }
}

/** Decides what came of it; null while that is open. */
export function exitOf({ state, outcome }: Pick<AskedDocument, 'state' | 'outcome'>): ProposeExit | null {
  switch (state) {
    case 'open':
    case 'claimed':
      return null
    case 'denied':
      return 3
    case 'expired':
      return 4
    case 'withdrawn':
      return 5
    case 'done':
      switch (outcome?.kind) {
        case 'effective':
          return 0
        case 'changed':
          return 5
        case 'refused':
          return 6
        case 'unreachable':
          return 7
        default:
          return 1
      }
  }
}

/** Says why there is no proposal, and decides what that is for a script. */
function explain({ status, code, message }: RemoteProblem, err: Out): ProposeExit {
  sayProblem(err, clean(message))
  if (status === null || status >= 500 || status === 429) return 7
  if (status === 400 || status === 401 || status === 413 || status === 422) return 2
  return code === 'changed' || code === 'noSession' ? 5 : 6
}

function tell(proposal: AskedDocument, { json, waitMs }: Asking, out: Out): void {
  if (json) {
    out.write(`${JSON.stringify(proposal, null, 2)}\n`)
    return
  }
  const { summary, outcome, decision, state, expiresAt } = proposal
  const open = waitMs === null ? '' : ` Nobody has decided yet; the card stays open until ${expiresAt}.`
  const more = outcome
    ? ` ${outcome.sentence}`
    : decision
      ? ` ${decision.by}${decision.reason ? ` says: ${decision.reason}` : ' denied it.'}`
      : state === 'open'
        ? open
        : ''
  out.write(`${clean(`${summary}.${more}`)} ${linkOf(proposal)}\n`)
}

const linkOf = ({ card, id }: AskedDocument): string => card.permalink ?? `Proposal ${id}.`
