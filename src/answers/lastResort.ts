import type { WatchedCluster } from '../commands/cluster.ts'
import type { Command } from '../commands/command.ts'
import { type ClientProcess, clientsOnHost, countOnHost } from '../domain/host/list.ts'
import { fitOnHost, isBusyOnHost, sessionOnHost } from '../domain/host/session.ts'
import { type Filters, matchesFilters } from '../domain/lists/filters.ts'
import { isIdleInTransaction, type Session, sessionKeyOf } from '../domain/session/session.ts'
import { measureOnHost } from '../host/measure.ts'
import { noActions, type Proposed, withActions } from '../views/answers/actions.ts'
import { type AnswerContext, failureView } from '../views/answers/page.ts'
import { noProcessView, processesView, processView } from '../views/answers/processes.ts'
import { shortNameAndPid } from '../views/words.ts'
import { mostProposed } from './proposed.ts'
import type { Looked } from './ways.ts'

/** Answer where the server cannot be asked. */
export type Blind = Looked & { readonly failed: boolean; readonly sessions: readonly Session[] }

/**
 * Answers what a server cannot be asked: by its processes where it runs on this machine and that helps, else with why.
 * @param reason why it cannot be asked
 */
export async function answerBlind(
  question: Command,
  { config }: Pick<WatchedCluster, 'config'>,
  reason: string,
  asked: Pick<AnswerContext, 'cluster' | 'several'>,
): Promise<Blind> {
  const failed = { failed: true, sessions: [], proposed: [], about: [] }
  const { host, name, protected: rules } = config
  if (host !== 'local') return { ...failed, view: failureView(name, reason) }
  if (!isByProcess(question))
    return {
      ...failed,
      view: withActions(failureView(name, reason), {
        ...noActions,
        notes: [['Its processes can still be seen, by the operating system: /pg sessions.']],
      }),
    }
  const seen = await measureOnHost(config)
  if ('problem' in seen)
    return {
      ...failed,
      view: failureView(name, `${reason} From the operating system: ${seen.problem}. ${seen.fix}`),
    }
  const { postmaster, backends, measured } = seen
  const proposedOf = ({ backend, session }: ClientProcess): Proposed[] => {
    const { action } = fitOnHost(backend, postmaster, rules)
    return action ? [{ action, key: sessionKeyOf(name, session), whom: shortNameAndPid(session) }] : []
  }
  const sessions = backends.map((one) => sessionOnHost(one, postmaster))
  if (question.kind === 'session') {
    const { pid } = question
    const found = measured.find(({ backend }) => backend.pid === pid)
    if (!found) return { ...failed, view: noProcessView({ reason, asked, pid }) }
    const { backend } = found
    const fit = fitOnHost(backend, postmaster, rules)
    return {
      ...{ failed: false, sessions, about: [pid] },
      view: processView({ reason, asked, process: found, fit }),
      proposed: proposedOf({ backend, session: sessionOnHost(backend, postmaster) }),
    }
  }
  const { kind, filters } = question
  const clients = clientsOnHost(backends, postmaster).filter(
    ({ session }) =>
      belongs[kind](session) &&
      matchesFilters(session, { ...filters, app: undefined, olderSeconds: undefined }),
  )
  return {
    ...{ failed: false, sessions, about: clients.map(({ session }) => session.pid) },
    view: processesView({
      ...{ kind, reason, asked, clients },
      counts: countOnHost(backends, postmaster),
      shares: new Map(measured.map(({ backend, share }) => [backend.pid, share])),
      leftOut: (['app', 'olderSeconds'] as const).filter((one) => filters[one] !== undefined),
    }),
    proposed: clients.flatMap(proposedOf).slice(0, mostProposed),
  }
}

type ByProcess =
  | Extract<Command, { readonly kind: 'session' }>
  | { readonly kind: keyof typeof belongs; readonly filters: Filters }

const isByProcess = (question: Command): question is Command & ByProcess =>
  question.kind === 'session' || Object.hasOwn(belongs, question.kind)

/** Processes that each list is about. Since when one does what it does, no process shows. */
const belongs = {
  sessions: () => true,
  long: isBusyOnHost,
  idle: (session: Session) => session.state === 'idle' || isIdleInTransaction(session),
} as const
