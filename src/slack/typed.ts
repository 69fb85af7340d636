import type { Authorization, Caller } from '../actions/authorize.ts'
import type { Propose } from '../actions/propose.ts'
import type { Choice, ProposeBulk } from '../actions/proposeBulk.ts'
import type { Request } from '../actions/request.ts'
import type { Silencing } from '../actions/silence.ts'
import { choiceOf, clustersOf } from '../actions/sweep.ts'
import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import { type Command, parseCommand } from '../commands/command.ts'
import { shown } from '../commands/grammar.ts'
import type { SilenceCommand } from '../commands/silenceCommand.ts'
import { type Sweep, timesOf } from '../config/sweeps.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { HolderNames } from '../domain/incidents/connectionHolders.ts'
import { idleOf, usualMost } from '../domain/lists/bulkList.ts'
import { filterWords, matchesFilters } from '../domain/lists/filters.ts'
import type { Session } from '../domain/session/session.ts'
import { joinedView, nobodyView } from '../views/answers/asked.ts'
import { membersWords } from '../views/card/bulk.ts'
import type { View } from '../views/kit.ts'
import { sweepsView } from '../views/sweepLines.ts'
import { viewOf } from './modals.ts'
import type { LinkTo } from './permalinks.ts'
import type { Questions } from './questions.ts'
import type { Reply } from './replies.ts'
import type { RightsOf } from './rights.ts'
import type { Said } from './take.ts'

/** Commands that were typed after `/pg` or after a mention, and requests by a button, which are the same. */
export type Typed = {
  run(caller: Caller, channelId: string, typed: string, reply: Reply): Promise<Said>
  request(asked: Request): Promise<Refusal | View | string>
  /** Asks by a button to terminate what a holder of connections does not use. */
  requestIdle(caller: Caller, cluster: string, holder: HolderNames): Promise<Said>
}

export function createTyped(deps: {
  readonly sweeps: () => readonly Sweep[]
  readonly rightsOf: RightsOf
  readonly now: () => number
  readonly proposeBulk: Pick<ProposeBulk, 'byHand'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly questions: Questions
  readonly propose: Pick<Propose, 'byHand'>
  readonly silencing: Pick<Silencing, 'run'>
  readonly authorization: Pick<Authorization, 'authorize' | 'refuse'>
  readonly linkTo: LinkTo
}): Typed {
  const { clusters, questions, propose, silencing, authorization, linkTo } = deps

  return {
    async run(caller, channelId, typed, reply) {
      const parsed = parseCommand(typed)
      if (asksForAction(parsed))
        return 'pid' in parsed ? ask(caller, channelId, parsed) : askForAll(caller, channelId, parsed)
      if (parsed.kind === 'sweep')
        return parsed.name === null ? listSweeps(caller) : sweepNow(caller, parsed.name, parsed.cluster)
      if (silences(parsed)) return silence(caller, channelId, parsed, reply)
      return questions.ask({ caller, channelId, typed }, reply)
    },
    request,
    requestIdle: (caller, cluster, holder) =>
      requestAll(caller, cluster, { action: 'terminate', most: usualMost, ...idleOf(holder) }),
  }

  /** `/pg cancel` and `/pg terminate`: the answer is the card itself. */
  async function ask(caller: Caller, channelId: string, command: ActionCommand) {
    const picked = pickCluster(clusters, command.cluster, channelId)
    if ('problem' in picked) return toMember(caller, command.kind, picked.problem)
    const { kind: action, pid, reason } = command
    return request({ caller, cluster: picked.config.name, action, pid, reason: reason ?? '' })
  }

  /** `/pg cancel FILTERS` and `/pg terminate FILTERS`: one card for all whom they find. */
  async function askForAll(caller: Caller, channelId: string, command: BulkCommand): Promise<Said> {
    const picked = pickCluster(clusters, command.cluster, channelId)
    if ('problem' in picked) return toMember(caller, command.kind, picked.problem)
    const { kind: action, filters, reason } = command
    const choice = {
      action,
      isChosen: (session: Session) => matchesFilters(session, filters),
      chosenBy: filterWords(filters),
      most: usualMost,
    }
    return requestAll(caller, picked.config.name, choice, reason ?? '')
  }

  /** `/pg sweep`: those of the clusters that the caller may see. */
  async function listSweeps(caller: Caller): Promise<Said> {
    const { sees, refusal } = await deps.rightsOf(caller)
    if (sees.size === 0 && refusal) return authorization.refuse({ caller, where: '/pg sweep' }, refusal)
    return sweepsView(
      deps.sweeps().flatMap((sweep) => {
        const names = clustersOf(sweep, clusters).map(({ config }) => config.name)
        const seen = names.filter((name) => sees.has(name))
        return seen.length === 0 ? [] : [{ ...sweep, clusters: seen, next: timesOf(sweep)(deps.now()) }]
      }),
    )
  }

  /** `/pg sweep NAME`: its card now, for each of its clusters; the caller asks, as by any request. */
  async function sweepNow(caller: Caller, name: string, cluster: string | null): Promise<Said> {
    const sweep = deps.sweeps().find((one) => one.name === name)
    const all = sweep ? clustersOf(sweep, clusters) : []
    const meant = cluster === null ? all : all.filter(({ config }) => config.name === cluster)
    if (!sweep || meant.length === 0)
      return toMember(
        caller,
        'sweep',
        sweep
          ? `Sweep \`${name}\` is for no such cluster: \`/pg sweep\` lists them.`
          : `There is no sweep \`${shown(name)}\`: \`/pg sweep\` lists them.`,
      )
    const choice = choiceOf(sweep)
    const answers: View[] = []
    for (const { config } of meant) {
      const made = await requestAll(caller, config.name, choice)
      if (made !== null) answers.push(viewOf(made))
    }
    return {
      text: answers.map(({ text }) => text).join('\n'),
      blocks: answers.flatMap(({ blocks }) => blocks).slice(0, 50),
    }
  }

  async function requestAll(caller: Caller, cluster: string, choice: Choice, reason = ''): Promise<Said> {
    const { action, chosenBy } = choice
    const made = await deps.proposeBulk.byHand(caller, cluster, choice, reason)
    if ('refusal' in made) return made.refusal
    if (made.how === 'nobody') return nobodyView(action, cluster, chosenBy, made.leftOut)
    const { proposal, how } = made
    const config = clusters.get(cluster)?.config
    if (how !== 'opened')
      return joinedView(how, proposal, {
        link: await linkTo(proposal.cardId),
        mayApprove: config?.approvals.requesterMayApprove ?? false,
      })
    return `Asked the approvers in <#${config?.channel}>: ${action} ${membersWords(proposal.bulk)}. It happens when one of them approves; "Show list" on the card takes single ones off.`
  }

  async function request(asked: Request): Promise<Refusal | View | string> {
    const made = await propose.byHand(asked)
    if ('refusal' in made) return made.refusal
    const { proposal, how } = made
    const mayApprove = clusters.get(asked.cluster)?.config.approvals.requesterMayApprove ?? false
    if (how !== 'opened')
      return joinedView(how, proposal, { link: await linkTo(proposal.cardId), mayApprove })
    const channel = clusters.get(asked.cluster)?.config.channel
    return `Asked the approvers in <#${channel}>: ${asked.action} ${asked.pid}. It happens when one of them approves.`
  }

  /** Answers members of the workspace only, because the answer names our clusters. */
  async function toMember(caller: Caller, command: string, sentence: string): Promise<Refusal | string> {
    return (await authorization.authorize({ caller, where: `/pg ${command}` }, 'everyone', false)) ?? sentence
  }

  async function silence(caller: Caller, channelId: string, command: SilenceCommand, reply: Reply) {
    const picked = pickCluster(clusters, command.cluster, channelId)
    if ('problem' in picked) return toMember(caller, command.kind, picked.problem)
    const answer = await silencing.run(caller, picked, command)
    if ('refusal' in answer) return answer.refusal
    if ('privately' in answer) return answer.privately
    await reply.openly(answer.openly)
    return null
  }
}

type Asking = Extract<Command, { kind: 'cancel' | 'terminate' }>
type BulkCommand = Extract<Asking, { readonly filters: unknown }>
type ActionCommand = Exclude<Asking, BulkCommand>

const silences = (command: { readonly kind: string }): command is SilenceCommand =>
  ['snooze', 'unsnooze', 'quiet'].includes(command.kind)

const asksForAction = (command: { readonly kind: string }): command is Asking =>
  command.kind === 'cancel' || command.kind === 'terminate'
