import type { Delivered, EnvelopeType, Outcome } from './delivery.ts'
import { clientSideErrors } from './elements.ts'
import { type Values, valuesOf } from './payloads.ts'
import type { State } from './state.ts'
import { type Json, SlackRefusal, type User, type View } from './types.ts'
import { inPlaceOf, toView, type Views, viewPayload } from './views.ts'

export type ViewSubmission = {
  readonly userId: string
  /** The topmost view if absent. */
  readonly viewId?: string
  /** Typed and chosen values; an absent one keeps its initial value. */
  readonly values?: Values
}

/** Text that Slack shows the user when the app does not answer a button or a modal. */
export const trouble = 'We had some trouble connecting. Try again?'

/** Creates what people do with a modal: send it and close it. */
export const createModals = (deps: {
  readonly state: State
  readonly views: Views
  readonly userOf: (id: string) => User
  /** Returns the fields of every payload about this user. */
  readonly common: (user: User) => Json
  /** Delivers a payload. */
  readonly timed: (type: EnvelopeType, payload: Json) => Promise<Outcome & { readonly delivered: Delivered }>
}) => {
  const { state, views, userOf, common, timed } = deps

  const topView = (userId: string, viewId: string | undefined): View => {
    const stack = views.stackOf(userId)
    const view = viewId ? stack.find((entry) => entry.id === viewId) : stack.at(-1)
    if (!view) throw new Error(`${userId} has no such modal open`)
    return view
  }

  /** https://docs.slack.dev/surfaces/modals#handling_submissions */
  const applySubmission = (view: View, answer: Json | string | undefined) => {
    const { response_action: action, errors, view: next } = typeof answer === 'object' ? answer : ({} as Json)
    if (action === undefined) return views.pop(view)
    if (action === 'clear') return views.clear(view.user)
    if (action === 'push') {
      views.push(view.user, next)
      return
    }
    if (action === 'update') {
      const fresh = inPlaceOf(view, toView(state, next, { user: view.user, surface: 'modal' }))
      state.setModals(
        view.user,
        views.stackOf(view.user).map((entry) => (entry.id === view.id ? fresh : entry)),
      )
      return
    }
    const known = view.blocks.map((block) => block.block_id)
    if (
      action !== 'errors' ||
      typeof errors !== 'object' ||
      errors === null ||
      !Object.keys(errors).every((id) => known.includes(id))
    ) {
      throw new SlackRefusal('invalid_response_action')
    }
    views.annotate(view, { errors: errors as Record<string, string> })
  }

  const submitView = async (given: ViewSubmission): Promise<Outcome> => {
    const user = userOf(given.userId)
    const view = topView(user.id, given.viewId)
    const values = valuesOf(view.blocks, given.values)
    const errors = clientSideErrors(view.blocks, values)
    views.annotate(view, {})
    if (Object.keys(errors).length > 0) {
      views.annotate(view, { errors })
      return { acked: false, ms: 0 }
    }
    const outcome = await timed('interactive', {
      type: 'view_submission',
      ...common(user),
      view: viewPayload(state, view, values),
      response_urls: [],
    })
    try {
      if (!outcome.delivered.acked) throw new SlackRefusal(outcome.delivered.error)
      applySubmission(view, outcome.delivered.body)
      return outcome
    } catch (error) {
      if (!(error instanceof SlackRefusal)) throw error
      views.annotate(view, { complaint: trouble })
      return { ...outcome, complaint: trouble }
    }
  }

  /**
   * The app hears of it only when it asked to (`notify_on_close`). The cross takes the whole stack away, and speaks of its
   * first view: https://docs.slack.dev/surfaces/modals#modal-view-closed
   */
  const closeView = async (given: {
    readonly userId: string
    readonly viewId?: string
    /** By the cross in the corner. */
    readonly byCross?: boolean
  }): Promise<Outcome> => {
    const user = userOf(given.userId)
    const top = topView(user.id, given.viewId)
    const view = given.byCross ? (views.stackOf(user.id)[0] ?? top) : top
    const isCleared = given.byCross === true || view.clear_on_close
    if (isCleared) views.clear(user.id)
    else views.pop(view)
    if (!view.notify_on_close) return { acked: true, ms: 0 }
    const { trigger_id: _none, ...rest } = common(user)
    return timed('interactive', {
      type: 'view_closed',
      ...rest,
      view: viewPayload(state, view, valuesOf(view.blocks)),
      is_cleared: isCleared,
    })
  }

  return { submitView, closeView }
}
