import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Execution } from '../domain/approvals/transitions.ts'
import { hindranceOnHost } from '../domain/host/guard.ts'
import { isOfBoot } from '../domain/host/identity.ts'
import { createHost } from '../host/procfs.ts'
import { signalOnHost, withinSeconds } from '../host/signal.ts'
import { attempt, type Cluster } from '../postgres/cluster.ts'
import { beginOrNot, type CarryOut, watchForMs } from './carryOut.ts'
import { readProcess } from './freshProcess.ts'
import { nothingSent } from './surely.ts'

/**
 * Carries out what was approved of a process, by the operating system: reads it again, sends it one guarded signal, and watches it. A server
 * that answers again is asked itself, since it knows more: then nothing is sent.
 */
export async function carryOutOnHost(
  proposal: Proposal,
  { watched: { cluster, config }, begin, steady }: CarryOut,
): Promise<Execution> {
  const { action, key, session } = proposal
  if (await answers(cluster)) return nothingSent({ kind: 'changed', what: answersAgain(key.pid) })
  const seen = await readProcess(config, key.pid)
  if ('code' in seen)
    return nothingSent(
      seen.code === 'notSeen'
        ? { kind: 'unreachable', why: `From the operating system: ${seen.reason}` }
        : { kind: 'changed', what: `${key.pid} was gone already` },
    )
  const { host, postmaster, backend } = seen
  const before = host.seconds() + withinSeconds
  const guard = { action, postmaster, chosen: session, protected: config.protected, before }
  const what = hindranceOnHost(guard, backend)
  if (what !== null) return nothingSent({ kind: 'changed', what })
  const begun = await beginOrNot(begin, String(before))
  if (!('id' in begun)) return begun
  const { outcome, command } = await signalOnHost(guard, { host, steady, watchMs: watchForMs })
  return { outcome, sql: command, returned: command === null ? null : true }
}

/** Decides whether the server can be asked now. */
const answers = async (cluster: Cluster): Promise<boolean> =>
  cluster.failure() === null &&
  (await attempt(
    async () => (await cluster.snapshot()) !== null,
    () => false,
  ))

/** Says why nothing is done by the operating system any more. */
export const answersAgain = (pid: number): string =>
  `the server answers again, and knows more of ${pid} than the operating system: /pg session ${pid} shows it`

/** Signal that may have gone out, and until when. */
export type Begun = Pick<Proposal, 'key'> & { readonly signalBefore: string }

/** Decides whether a time of the machine's clock has passed. On another machine, or after a restart of it, `otherwise` decides. */
export function isPastOnHost({ key, signalBefore }: Begun, otherwise: () => boolean): boolean {
  const host = createHost()
  return isOfBoot(key, host.bootId()) ? host.seconds() > Number(signalBefore) : otherwise()
}

/** Describes the process after something went wrong, in one sentence. */
export async function describeProcess(
  config: Parameters<typeof readProcess>[0],
  { key }: Pick<Proposal, 'key'>,
): Promise<string> {
  const seen = await readProcess(config, key.pid)
  if ('code' in seen)
    return seen.code === 'notSeen'
      ? `How it is now cannot be seen: ${seen.reason}`
      : 'The process is gone now.'
  return seen.session.backendStart === key.backendStart
    ? `The process is still there: ${seen.session.query}.`
    : 'The process is gone now.'
}
