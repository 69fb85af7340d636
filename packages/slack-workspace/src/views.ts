import { randomBytes } from 'node:crypto'
import { checkKinds, checkView } from './limits.ts'
import { completeBlocks, type State } from './state.ts'
import { type Block, type Json, SlackRefusal, type View } from './types.ts'

const newId = (prefix: string) => `${prefix}${randomBytes(5).toString('hex').toUpperCase()}`
const newHash = (state: State) => `${Math.floor(state.now() / 1000)}.${randomBytes(4).toString('hex')}`

/** Slack stacks at most three views: https://docs.slack.dev/surfaces/modals */
const stackLimit = 3

/** Checks what the app sent and completes it to what Slack keeps. */
export const toView = (
  state: State,
  value: unknown,
  { user, surface, previous }: { user: string; surface: View['type']; previous?: View | undefined },
): View => {
  checkView(value, surface)
  checkKinds(value.blocks, state.refusedKinds(), true)
  const text = (name: string) => (typeof value[name] === 'string' ? (value[name] as string) : '')
  const id = newId('V')
  return {
    id,
    type: surface,
    hash: newHash(state),
    user,
    ...(value.title ? { title: value.title as Json } : {}),
    ...(value.submit ? { submit: value.submit as Json } : {}),
    ...(value.close ? { close: value.close as Json } : {}),
    blocks: completeBlocks(value.blocks as readonly Block[]),
    private_metadata: text('private_metadata'),
    callback_id: text('callback_id'),
    external_id: text('external_id'),
    clear_on_close: value.clear_on_close === true,
    notify_on_close: value.notify_on_close === true,
    root_view_id: previous?.root_view_id ?? id,
    previous_view_id: previous?.id ?? null,
  }
}

/** The new content in the old one's place. */
export const inPlaceOf = (old: View, next: View): View => ({
  ...next,
  id: old.id,
  root_view_id: old.root_view_id,
  previous_view_id: old.previous_view_id,
})

/** A view as payloads and answers carry it: https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload */
export const viewPayload = (state: State, view: View, values: Json = {}): Json => {
  const { team, app } = state.seed
  const { user: _user, errors: _errors, complaint: _complaint, ...shown } = view
  return {
    ...shown,
    team_id: team.id,
    app_id: app.id,
    app_installed_team_id: team.id,
    bot_id: app.botId,
    title: view.title ?? null,
    submit: view.submit ?? null,
    close: view.close ?? null,
    state: { values },
  }
}

/** The stack of modals of one person, topmost last. */
export const createViews = (state: State) => {
  const stackOf = (user: string): readonly View[] => state.modals.get(user) ?? []

  const find = (match: (view: View) => boolean): View | undefined =>
    [...state.modals.values()].flat().find(match) ?? [...state.homes.values()].find(match)

  /** An `external_id` is an app's own name for one view: no other may have it. */
  const alone = (view: View, leaving: readonly View[] = []): View => {
    const other = find(
      ({ id, external_id: name }) => name !== '' && name === view.external_id && id !== view.id,
    )
    if (other && !leaving.includes(other)) throw new SlackRefusal('duplicate_external_id')
    return view
  }

  const open = (user: string, value: unknown): View => {
    const view = alone(toView(state, value, { user, surface: 'modal' }), stackOf(user))
    state.setModals(user, [view])
    return view
  }

  const push = (user: string, value: unknown): View => {
    const stack = stackOf(user)
    if (stack.length >= stackLimit) throw new SlackRefusal('push_limit_reached')
    const view = alone(toView(state, value, { user, surface: 'modal', previous: stack.at(-1) }))
    state.setModals(user, [...stack, view])
    return view
  }

  const replace = (old: View, value: unknown, hash?: string): View => {
    if (hash && hash !== old.hash) throw new SlackRefusal('hash_conflict')
    const view = alone(inPlaceOf(old, toView(state, value, { user: old.user, surface: old.type })))
    if (old.type === 'home') state.setHome(view)
    else {
      state.setModals(
        old.user,
        stackOf(old.user).map((entry) => (entry.id === old.id ? view : entry)),
      )
    }
    return view
  }

  /** Shows errors or a complaint in the view without the app having changed it. */
  const annotate = (old: View, notes: Pick<View, 'errors' | 'complaint'>) => {
    const { errors: _errors, complaint: _complaint, ...bare } = old
    const stack = stackOf(old.user)
    state.setModals(
      old.user,
      stack.map((entry) => (entry.id === old.id ? { ...bare, ...notes } : entry)),
    )
  }

  const publish = (user: string, value: unknown, hash?: string): View => {
    const old = state.homes.get(user)
    if (hash && old && hash !== old.hash) throw new SlackRefusal('hash_conflict')
    const fresh = toView(state, value, { user, surface: 'home' })
    const view = alone(old ? inPlaceOf(old, fresh) : fresh)
    state.setHome(view)
    return view
  }

  const pop = (view: View) => {
    state.setModals(
      view.user,
      stackOf(view.user).filter((entry) => entry.id !== view.id),
    )
  }
  const clear = (user: string) => state.setModals(user, [])

  return { stackOf, open, push, find, replace, annotate, publish, pop, clear }
}

export type Views = ReturnType<typeof createViews>

/** `trigger_id`s: good once, for three seconds. */
export const createTriggers = (state: State, ttlMs: number) => {
  const known = new Map<string, { user: string; until: number; used: boolean }>()

  const issue = (user: string): string => {
    const id = `${Math.floor(Math.random() * 1e12)}.${Math.floor(Math.random() * 1e12)}.${randomBytes(16).toString('hex')}`
    // Old ones stay known for a while, so that their use is answered with the right error.
    for (const [old, { until }] of known) if (state.now() > until + 60_000) known.delete(old)
    known.set(id, { user, until: state.now() + ttlMs, used: false })
    return id
  }
  /** Returns the user of a trigger. Throws the errors of https://docs.slack.dev/reference/methods/views.open */
  const exchange = (id: unknown): string => {
    const entry = known.get(String(id))
    if (!entry) throw new SlackRefusal('invalid_trigger_id')
    if (state.now() > entry.until) throw new SlackRefusal('expired_trigger_id')
    if (entry.used) throw new SlackRefusal('exchanged_trigger_id')
    entry.used = true
    return entry.user
  }
  return { issue, exchange }
}

export type Triggers = ReturnType<typeof createTriggers>
