import type { Authorization, Caller } from '../actions/authorize.ts'
import type { Propose, Request } from '../actions/propose.ts'
import type { Silencing } from '../actions/silence.ts'
import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import { type Command, parseCommand } from '../commands/command.ts'
import type { SilenceCommand } from '../commands/silenceCommand.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { joinedView } from '../views/answers/asked.ts'
import type { View } from '../views/kit.ts'
import type { LinkTo } from './permalinks.ts'
import type { Questions } from './questions.ts'
import type { Reply } from './replies.ts'
import type { Said } from './take.ts'

/** Commands that were typed after `/pg` or after a mention, and requests by a button, which are the same. */
export type Typed = {
  run(caller: Caller, channelId: string, typed: string, reply: Reply): Promise<Said>
  request(asked: Request): Promise<Refusal | View | string>
}

export function createTyped(deps: {
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly questions: Questions
  readonly propose: Pick<Propose, 'byHand'>
  readonly silencing: Pick<Silencing, 'run'>
  readonly authorization: Pick<Authorization, 'authorize'>
  readonly linkTo: LinkTo
}): Typed {
  const { clusters, questions, propose, silencing, authorization, linkTo } = deps

  return {
    async run(caller, channelId, typed, reply) {
      const parsed = parseCommand(typed)
      if (asksForAction(parsed)) return ask(caller, channelId, parsed)
      if (silences(parsed)) return silence(caller, channelId, parsed, reply)
      return questions.ask({ caller, channelId, typed }, reply)
    },
    request,
  }

  /** `/pg cancel` and `/pg terminate`: the answer is the card itself. */
  async function ask(caller: Caller, channelId: string, command: ActionCommand) {
    const picked = pickCluster(clusters, command.cluster, channelId)
    if ('problem' in picked) return toMember(caller, command.kind, picked.problem)
    const { kind: action, pid, reason } = command
    return request({ caller, cluster: picked.config.name, action, pid, reason: reason ?? '' })
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

type ActionCommand = Extract<Command, { kind: 'cancel' | 'terminate' }>

const silences = (command: { readonly kind: string }): command is SilenceCommand =>
  ['snooze', 'unsnooze', 'quiet'].includes(command.kind)

const asksForAction = (command: { readonly kind: string }): command is ActionCommand =>
  command.kind === 'cancel' || command.kind === 'terminate'
