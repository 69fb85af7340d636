import type { webApi } from '@slack/bolt'
import type { ModalView } from '@slack/types'
import type { Refusal } from '../domain/approvals/access.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import { answerModal, saidModal } from '../views/answerModal.ts'
import { richText, section, type View } from '../views/kit.ts'
import { refusalView } from '../views/refusal.ts'
import type { Slack } from './client.ts'
import type { Reply } from './replies.ts'

/** Modals of ours: how they open, change and answer. */
export type Modals = {
  /** Opens a modal at once, since a trigger is good for three seconds. */
  open(triggerId: string, view: ModalView): Promise<Opened>
  /** Lays a modal over the one whose button was pressed. */
  push(triggerId: string, view: ModalView): Promise<Opened>
  /**
   * Puts another view in the place of the one that stands there; throws SlackError.
   * @returns false where the person has closed it, which is their right
   */
  update(viewId: string, view: ModalView): Promise<boolean>
  /** Puts the answer in the place of what stands there. */
  replacing(viewId: string): Reply
  /** Lays the answer over it; where that comes too late, in private. */
  over(triggerId: string, otherwise: Reply): Reply
}

/** A modal that stands, or Slack's error code why it does not. */
export type Opened = { readonly viewId: string } | { readonly failed: string }

export function createModals({ slack, log }: { readonly slack: Slack; readonly log: Log }): Modals {
  const same = (privately: Reply['privately']): Reply => ({ privately, openly: privately })

  async function opened(
    view: ModalView,
    run: (client: webApi.WebClient) => Promise<{ readonly view?: { readonly id?: string } }>,
  ): Promise<Opened> {
    try {
      const { view: stands } = await slack.call(run)
      return stands?.id ? { viewId: stands.id } : { failed: 'not_an_answer' }
    } catch (error) {
      if (!(error instanceof SlackError)) throw error
      log.warn({ err: error, modal: view.callback_id }, 'a modal did not open')
      return { failed: error.code }
    }
  }

  const modals: Modals = {
    open: (trigger_id, view) => opened(view, ({ views }) => views.open({ trigger_id, view })),
    push: (trigger_id, view) => opened(view, ({ views }) => views.push({ trigger_id, view })),
    async update(view_id, view) {
      try {
        await slack.call(({ views }) => views.update({ view_id, view }))
        return true
      } catch (error) {
        // https://docs.slack.dev/reference/methods/views.update#errors
        if (error instanceof SlackError && error.code === 'not_found') return false
        throw error
      }
    },
    replacing: (viewId) =>
      same(async (answer) => {
        await modals.update(viewId, answerModal(viewOf(answer).blocks))
      }),
    over: (triggerId, otherwise) =>
      same(async (answer) => {
        const said = await modals.push(triggerId, saidModal(viewOf(answer).blocks))
        if ('failed' in said) await otherwise.privately(answer)
      }),
  }
  return modals
}

/** Draws what is said to one person, as a modal takes it. */
export function viewOf(answer: Refusal | View | string): View {
  if (typeof answer === 'string') return { text: answer, blocks: [richText(section(answer))] }
  return 'code' in answer ? refusalView(answer) : answer
}
