import type { App } from '@slack/bolt'
import type { Authorization, Caller } from '../actions/authorize.ts'
import { answerPids } from '../answers/pids.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { quoted } from '../domain/lists/filters.ts'
import { pidsIn } from '../domain/text/pids.ts'
import type { Log } from '../log.ts'
import { answerModal, pickerModal, waitingModal } from '../views/answerModal.ts'
import { type Modals, viewOf } from './modals.ts'
import type { Questions } from './questions.ts'
import type { Replies } from './replies.ts'
import type { RightsOf } from './rights.ts'
import type { Said, Take } from './take.ts'

/** The callback ids of the manifest. */
export const shortcuts = { sessions: 'pg_sessions', pids: 'pg_look_up_pids' } as const

/** Listens to the shortcuts: the sessions of a cluster from anywhere, and the process ids of a message. */
export function listenToShortcuts(
  app: App,
  deps: {
    readonly modals: Modals
    readonly clusters: ReadonlyMap<string, WatchedCluster>
    readonly questions: Questions
    readonly rightsOf: RightsOf
    readonly authorization: Pick<Authorization, 'authorize'>
    readonly replies: Replies
    readonly take: Take
    readonly log: Log
  },
): void {
  const { modals, clusters, questions, rightsOf, authorization, replies, take, log } = deps

  app.shortcut({ callback_id: shortcuts.sessions, type: 'shortcut' }, async ({ shortcut, ack }) => {
    const caller = callerOf(shortcut.user)
    // It comes from anywhere: only a message of its own reaches them.
    await take('shortcut', ack, replies.whispering(caller.userId, caller, true), async () => {
      const opened = await modals.open(shortcut.trigger_id, waitingModal())
      if ('failed' in opened) return tooLate('/pg sessions')
      const { viewId } = opened
      return inModal(viewId, caller, async (names) => {
        const [only] = names
        if (names.length === 1 && only !== undefined) return sessionsOf(only, caller, viewId)
        await modals.update(viewId, pickerModal(names))
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
        const opened = await modals.open(shortcut.trigger_id, waitingModal())
        const viewId = 'failed' in opened ? null : opened.viewId
        const pids = pidsIn(textOf(shortcut.message))
        const show = async (names: readonly string[]) => {
          const seen = names.flatMap((name) => clusters.get(name) ?? [])
          const view = await answerPids(pids, seen)
          if (viewId === null) return view
          await modals.update(viewId, answerModal(view.blocks))
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
      if (answer !== null) await modals.update(viewId, answerModal(viewOf(answer).blocks))
      return null
    } catch (error) {
      // Nobody waits for ever.
      const wrong = viewOf('Something went wrong on my side, and it is in my log.')
      await modals
        .update(viewId, answerModal(wrong.blocks))
        .catch((err: unknown) => log.info({ err }, 'a modal goes on waiting'))
      throw error
    }
  }
}

const callerOf = ({ id, team_id }: { readonly id: string; readonly team_id?: string }): Caller => ({
  userId: id,
  teamId: team_id ?? null,
})

const tooLate = (command: string) =>
  `The dialog did not open in time, so nothing was looked up. Choose the shortcut again, or type \`${command}\`.`

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
