import { need, str, structure } from './arguments.ts'
import { checkKinds, checkView } from './limits.ts'
import { type Json, SlackRefusal } from './types.ts'
import { viewPayload } from './views.ts'
import type { Method } from './webapi.ts'

const viewOf = (args: Json) => structure(args, 'view', 'invalid_arguments')

/** No scope is needed: the `trigger_id` is the permission. */
export const viewMethods: Readonly<Record<string, Method>> = {
  'views.open': {
    run: ({ state, views, triggers }, args) => {
      const view = viewOf(args)
      checkView(view, 'modal')
      checkKinds(view.blocks, state.refusedKinds(), true)
      return { view: viewPayload(state, views.open(triggers.exchange(args.trigger_id), view)) }
    },
  },
  'views.push': {
    run: ({ state, views, triggers }, args) => {
      const view = viewOf(args)
      checkView(view, 'modal')
      checkKinds(view.blocks, state.refusedKinds(), true)
      return { view: viewPayload(state, views.push(triggers.exchange(args.trigger_id), view)) }
    },
  },
  'views.update': {
    run: ({ state, views }, args) => {
      const id = str(args, 'view_id')
      const externalId = str(args, 'external_id')
      if (!id && !externalId) throw new SlackRefusal('invalid_arguments')
      const old = views.find((view) => (id ? view.id === id : view.external_id === externalId))
      if (!old) throw new SlackRefusal('not_found')
      return { view: viewPayload(state, views.replace(old, viewOf(args), str(args, 'hash'))) }
    },
  },
  'views.publish': {
    run: ({ state, views, hasHome }, args) => {
      if (!hasHome) throw new SlackRefusal('not_enabled')
      const user = need(args, 'user_id')
      if (!state.users.has(user)) throw new SlackRefusal('user_not_found')
      return { view: viewPayload(state, views.publish(user, viewOf(args), str(args, 'hash'))) }
    },
  },
}
