import type { App } from '@slack/bolt'
import type { Authorization, Caller } from '../actions/authorize.ts'
import { answerPids } from '../answers/pids.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { quoted } from '../domain/lists/filters.ts'
import { pidsIn } from '../domain/text/pids.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import { answerModal, pickerModal, saidModal, waitingModal } from '../views/answerModal.ts'
import { type Block, richText, section, type View } from '../views/kit.ts'
import { refusalView } from '../views/refusal.ts'
import type { Slack } from './client.ts'
import type { Said, Take } from './flights.ts'
import type { Questions } from './questions.ts'
import type { Replies, Reply } from './replies.ts'
import type { RightsOf } from './rights.ts'

/** The callback ids of the manifest. */
export const shortcuts = { sessions: 'pg_sessions', pids: 'pg_look_up_pids' } as const

/** Listens to the shortcuts: the sessions of a cluster from anywhere, and the process ids of a message. */
export function listenToShortcuts(
  app: App,
  deps: {
    readonly slack: Slack
    readonly clusters: ReadonlyMap<string, WatchedCluster>
    readonly questions: Questions
    readonly rightsOf: RightsOf
    readonly authorization: Pick<Authorization, 'authorize'>
    readonly replies: Replies
    readonly take: Take
    readonly log: Log
  },
): void {
  const { slack, clusters, questions, rightsOf, authorization, replies, take } = deps
  const modals = createModalReplies(deps)

  app.shortcut({ callback_id: shortcuts.sessions, type: 'shortcut' }, async ({ shortcut, ack }) => {
    const caller = callerOf(shortcut.user)
    // It comes from anywhere: only a message of its own reaches them.
    await take('shortcut', ack, replies.whispering(caller.userId, caller, true), async () => {
      const viewId = await open(shortcut.trigger_id)
      if (viewId === null) return tooLate('/pg sessions')
      return inModal(viewId, caller, async (names) => {
        const [only] = names
        if (names.length === 1 && only !== undefined) return sessionsOf(only, caller, viewId)
        await update(viewId, pickerModal(names))
        return null
      })
    })
  })

  app.shortcut(
    { callback_id: shortcuts.pids, type: 'message_action' },
    async ({ shortcut, ack, respond }) => {
      const caller = callerOf(shortcut.user)
      const reply = replies.to(respond, shortcut.channel.id, caller, false)
      await take('shortcut', ack, reply, async () => {
        const viewId = await open(shortcut.trigger_id)
        const pids = pidsIn(textOf(shortcut.message))
        const show = async (names: readonly string[]) => {
          const seen = names.flatMap((name) => clusters.get(name) ?? [])
          const view = await answerPids(pids, seen)
          if (viewId === null) return view
          await update(viewId, answerModal(view.blocks))
          return null
        }
        return viewId === null ? forViewer(caller, show) : inModal(viewId, caller, show)
      })
    },
  )

  async function sessionsOf(cluster: string, caller: Caller, viewId: string) {
    const typed = `sessions --cluster ${quoted(cluster)}`
    return questions.show({ caller, channelId: '', typed }, modals.replacing(viewId))
  }

  /** Runs it with the names of the clusters that the caller may see, if there are any. */
  async function forViewer<T>(caller: Caller, run: (names: readonly string[]) => Promise<T>) {
    const { sees } = await rightsOf(caller)
    if (sees.size > 0) return run([...sees])
    for (const { config } of clusters.values()) {
      const refusal = await authorization.authorize(
        { caller, where: 'shortcut' },
        config.access.viewers,
        false,
      )
      if (refusal) return refusal
    }
    return 'No cluster is configured.'
  }

  /** The same in a modal that stands already, where a refusal is shown as well. */
  async function inModal(
    viewId: string,
    caller: Caller,
    run: (names: readonly string[]) => Promise<Said>,
  ): Promise<null> {
    try {
      const answer = await forViewer(caller, run)
      if (answer !== null) await update(viewId, answerModal(blocksOf(answer)))
      return null
    } catch (error) {
      // Nobody waits for ever.
      await update(viewId, answerModal(blocksOf('Something went wrong on my side, and it is in my log.')))
      throw error
    }
  }

  /** Opens a modal at once, since a trigger is good for three seconds; null where it is too late. */
  async function open(triggerId: string): Promise<string | null> {
    try {
      const { view } = await slack.call((client) =>
        client.views.open({ trigger_id: triggerId, view: waitingModal() }),
      )
      return view?.id ?? null
    } catch (error) {
      if (!(error instanceof SlackError)) throw error
      deps.log.info({ err: error }, 'the modal of a shortcut did not open')
      return null
    }
  }

  const update = (viewId: string, view: ReturnType<typeof answerModal>) =>
    slack.call((client) => client.views.update({ view_id: viewId, view }))
}

const callerOf = ({ id, team_id }: { readonly id: string; readonly team_id?: string }): Caller => ({
  userId: id,
  teamId: team_id ?? null,
})

const tooLate = (command: string) =>
  `The dialog did not open in time, so nothing was looked up. Choose the shortcut again, or type \`${command}\`.`

const blocksOf = (answer: Refusal | View | string): readonly Block[] => {
  if (typeof answer === 'string') return [richText(section(answer))]
  return 'code' in answer ? refusalView(answer).blocks : answer.blocks
}

/** Ways to answer a press in a modal of ours. */
export type ModalReplies = {
  /** Puts the answer in the place of what stands there. */
  replacing(viewId: string): Reply
  /** Lays the answer over it; where that comes too late, in private. */
  over(triggerId: string, otherwise: Reply): Reply
}

export function createModalReplies({
  slack,
  log,
}: {
  readonly slack: Slack
  readonly log: Log
}): ModalReplies {
  const same = (privately: Reply['privately']): Reply => ({ privately, openly: privately })
  return {
    replacing: (viewId) =>
      same(async (answer) => {
        const view = answerModal(blocksOf(answer))
        await slack.call((client) => client.views.update({ view_id: viewId, view }))
      }),
    over: (triggerId, otherwise) =>
      same(async (answer) => {
        try {
          const view = saidModal(blocksOf(answer))
          await slack.call((client) => client.views.push({ trigger_id: triggerId, view }))
        } catch (error) {
          log.info({ err: error }, 'an answer did not open over its modal')
          await otherwise.privately(answer)
        }
      }),
  }
}

/** Reads what stands in a message: its text, and where it has blocks the words in them but for buttons. */
function textOf(message: { readonly text?: string; readonly blocks?: unknown }): string {
  return [message.text ?? '', ...wordsIn(message.blocks, 0)].join('\n')
}

/** Blocks do not lie deeper. */
const deepest = 12

function wordsIn(value: unknown, depth: number): string[] {
  if (depth > deepest || typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap((one) => wordsIn(one, depth + 1))
  if (Reflect.get(value, 'type') === 'actions') return []
  const own: unknown = Reflect.get(value, 'text')
  return [
    ...(typeof own === 'string' ? [own] : []),
    ...Object.values(value).flatMap((one) => wordsIn(one, depth + 1)),
  ]
}
