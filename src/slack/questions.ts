import { type Authorization, type Caller, unknownButton } from '../actions/authorize.ts'
import type { Answers, Question } from '../answers/answer.ts'
import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import { parseCommand } from '../commands/command.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { People } from '../domain/session/policy.ts'
import { SlackError } from '../notify/slackError.ts'
import type { View } from '../views/kit.ts'
import type { Reply } from './replies.ts'

type Parsed = ReturnType<typeof parseCommand>

export type Questions = {
  /** Answers what only looks, for who may see it. */
  ask(asked: Asked, reply: Reply): Promise<Refusal | string | null>
  /** Reads an answer again, where its button was pressed, as if it were asked now. */
  again(asked: Asked & { readonly message: Pressed }, reply: Reply): Promise<Refusal | string | null>
  /** Shows another answer to who pressed a button. */
  show(asked: Asked, reply: Reply): Promise<Refusal | string | null>
  /**
   * Answers are for all in a configured channel; but what only some may see of a cluster is for all in its own channel
   * alone, where everybody who reads along was let in.
   */
  mayBeOpen(command: Parsed, channelId: string): boolean
}

type Asked = { readonly caller: Caller; readonly channelId: string; readonly typed: string }

/** The message whose button was pressed. */
type Pressed = {
  readonly isPrivate: boolean
  /** Puts another answer into its place. */
  edit(view: View): Promise<void>
}

export function createQuestions({
  answers,
  clusters,
  channels,
  timeZoneOf,
  authorization: { authorize, checkAccess, refuse },
}: {
  readonly answers: Answers
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly channels: ReadonlySet<string>
  readonly timeZoneOf: (userId: string) => Promise<string>
  readonly authorization: Authorization
}): Questions {
  return {
    mayBeOpen,
    async ask(asked, reply) {
      const parsed = parseCommand(asked.typed)
      const isOpen = mayBeOpen(parsed, asked.channelId)
      return answer(parsed, asked, isOpen, async (view, failed) => {
        await (failed || parsed.kind === 'help' ? reply.privately(view) : reply.openly(view))
      })
    },
    async show(asked, reply) {
      const parsed = parseCommand(asked.typed)
      if (!isQuestion(parsed)) return refuse({ ...asked, where: 'button pg_show_answer' }, unknownButton)
      return answer(parsed, asked, false, reply.privately)
    },
    async again({ message, ...asked }, reply) {
      const parsed = parseCommand(asked.typed)
      if (!isQuestion(parsed)) return refuse({ ...asked, where: 'button pg_refresh_answer' }, unknownButton)
      // What all read may show no more than all may see today.
      const isOpen = !message.isPrivate && mayBeOpen(parsed, asked.channelId)
      const inPlace = message.isPrivate || isOpen
      // What failed says nothing: what was seen before stays, with its time.
      return answer(parsed, asked, isOpen, (view, failed) =>
        failed || !inPlace ? reply.privately(view) : message.edit(view),
      )
    },
  }

  async function answer(
    parsed: Parsed,
    { caller, channelId, typed }: Asked,
    isOpen: boolean,
    deliver: (view: View, failed: boolean) => Promise<void>,
  ): Promise<Refusal | string | null> {
    const entry = { caller, where: `/pg ${parsed.kind}` }
    for (const viewers of readersOf(parsed, channelId)) {
      const refusal = await authorize(entry, viewers, false)
      if (refusal) return refusal
    }
    if (parsed.kind === 'problem') return parsed.message
    if (!isQuestion(parsed)) return refuse(entry, unknownButton)
    const sees = await seenBy(caller, channelId, isOpen)
    if (parsed.kind === 'overview' && sees.size === 0)
      for (const { config } of clusters.values()) {
        const refusal = await authorize(entry, config.access.viewers, false)
        if (refusal) return refusal
      }
    const timeZone = () => timeZoneOf(caller.userId).catch(utcWhereSlackFails)
    const { view, failed = false } = await answers(parsed, channelId, { typed, sees, timeZone })
    await deliver(view, failed)
    return null
  }

  /** Finds the clusters that the caller may see; where all read the answer, only those that all may see. */
  async function seenBy(caller: Caller, channelId: string, isOpen: boolean): Promise<Set<string>> {
    // Many clusters have few lists, and each costs a look-up.
    const looked = new Map<string, ReturnType<typeof checkAccess>>()
    const look = (list: People) => {
      const key = JSON.stringify(list)
      const looking = looked.get(key) ?? checkAccess(caller, list, false)
      looked.set(key, looking)
      return looking
    }
    const all = await Promise.all(
      [...clusters.values()].map(async ({ config: { name, access, channel } }) => {
        if (isOpen && access.viewers !== 'everyone' && channel !== channelId) return []
        return (await look(access.viewers)) === null ? [name] : []
      }),
    )
    return new Set(all.flat())
  }

  function mayBeOpen(command: Parsed, channelId: string): boolean {
    if (!channels.has(channelId)) return false
    const picked = 'cluster' in command ? pickCluster(clusters, command.cluster, channelId) : null
    const shown = picked && 'config' in picked ? [picked] : [...clusters.values()]
    return shown.every(({ config }) => config.access.viewers === 'everyone' || config.channel === channelId)
  }

  /**
   * Lists who one must be among to read this: of the cluster that is asked, or of all; for help any member may. The overview
   * shows each what they may see.
   */
  function readersOf(command: Parsed, channelId: string): readonly People[] {
    if (['help', 'problem', 'overview'].includes(command.kind)) return ['everyone']
    const picked = 'cluster' in command ? pickCluster(clusters, command.cluster, channelId) : null
    if (picked && 'problem' in picked) return ['everyone']
    return picked
      ? [picked.config.access.viewers]
      : [...clusters.values()].map(({ config }) => config.access.viewers)
  }
}

const isQuestion = (command: Parsed): command is Question =>
  !['problem', 'cancel', 'terminate', 'sweep', 'snooze', 'unsnooze', 'quiet'].includes(command.kind)

/** An answer says whose clock its times are of. */
function utcWhereSlackFails(error: unknown): string {
  if (!(error instanceof SlackError)) throw error
  return 'UTC'
}
