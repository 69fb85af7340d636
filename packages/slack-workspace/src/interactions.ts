import type { Delivered, EnvelopeType, Outcome } from './delivery.ts'
import type { Control } from './elements.ts'
import type { Manifest } from './manifest.ts'
import { createModals, trouble } from './modals.ts'
import { actionOf, findControl, nameFor, userObject, type Values, valueKey, valuesOf } from './payloads.ts'
import { applyResponse, type ResponseContext, type ResponseUrls } from './responses.ts'
import { slackbot } from './seed.ts'
import type { State } from './state.ts'
import {
  type Block,
  type Channel,
  type Json,
  type Message,
  SlackRefusal,
  type User,
  type View,
} from './types.ts'
import { type Triggers, type Views, viewPayload } from './views.ts'

export type SlashCommand = {
  readonly userId: string
  readonly channelId: string
  /** Text after the command. */
  readonly text?: string
  /** The first of the manifest if absent. */
  readonly command?: string
}

export type Press = {
  readonly userId: string
  readonly actionId: string
  /** The message, public or private, and its channel; or else a view. */
  readonly channelId?: string
  readonly messageTs?: string
  readonly viewId?: string
  /** Only needed when the action id stands in several blocks. */
  readonly blockId?: string
  /** For a menu: the chosen option's value. For a button: overrides its value (a hand-made press). */
  readonly value?: string
  /** Values of the other controls. */
  readonly values?: Values
}

export type ShortcutUse = {
  readonly userId: string
  readonly callbackId: string
  /** The message, for a shortcut of messages. */
  readonly channelId?: string
  readonly messageTs?: string
}

type Dependencies = {
  readonly state: State
  readonly views: Views
  readonly triggers: Triggers
  readonly responseUrls: ResponseUrls
  readonly deliver: (type: EnvelopeType, payload: Json) => Promise<Delivered>
  readonly defaultCommand: string | undefined
  /** Those of the manifest; any where there is none. */
  readonly shortcuts: Manifest['shortcuts'] | undefined
  readonly verificationToken: string
}

/**
 * Creates what people do with the app, delivered in the payloads of
 * https://docs.slack.dev/reference/interaction-payloads
 */
export const createInteractions = (deps: Dependencies) => {
  const { state, views, triggers, responseUrls, deliver } = deps
  const { team, app } = state.seed

  const userOf = (id: string): User => {
    const user = state.users.get(id)
    if (!user) throw new Error(`no user ${id} in this workspace`)
    return user
  }
  const channelOf = (id: string): Channel => {
    const channel = state.channels.get(id)
    if (!channel) throw new Error(`no channel ${id} in this workspace`)
    return channel
  }
  const common = (user: User): Json => ({
    user: userObject(user),
    api_app_id: app.id,
    token: deps.verificationToken,
    trigger_id: triggers.issue(user.id),
    team: { id: team.id, domain: team.domain },
    enterprise: null,
    is_enterprise_install: false,
  })

  const timed = async (
    type: EnvelopeType,
    payload: Json,
  ): Promise<Outcome & { readonly delivered: Delivered }> => {
    const start = performance.now()
    const { user_id: typedBy, user } = payload as { user_id?: string; user?: { id: string } }
    if (type !== 'events_api') state.announce({ kind: 'interaction', user: typedBy ?? user?.id ?? '' })
    const delivered = await deliver(type, payload)
    return { payload, delivered, acked: delivered.acked, ms: performance.now() - start }
  }

  /** An ack may carry an answer. It does not count as a use of the `response_url`. */
  const answerFromAck = (context: ResponseContext, delivered: Delivered): Json | undefined => {
    if (!delivered.acked || delivered.body === undefined) return undefined
    const answer = typeof delivered.body === 'string' ? { text: delivered.body } : delivered.body
    const silent = !answer.text && !answer.blocks
    if (!silent) applyResponse(state, context, answer)
    return answer
  }

  const slashCommand = async (given: SlashCommand): Promise<Outcome> => {
    const user = userOf(given.userId)
    const channel = channelOf(given.channelId)
    const command = given.command ?? deps.defaultCommand
    if (command === undefined) throw new Error('which command? There is no manifest that lists one')
    const context = { user: user.id, channel: channel.id }
    const payload = {
      token: deps.verificationToken,
      team_id: team.id,
      team_domain: team.domain,
      channel_id: channel.id,
      channel_name: nameFor(channel),
      user_id: user.id,
      user_name: user.name,
      command,
      text: given.text ?? '',
      api_app_id: app.id,
      is_enterprise_install: 'false',
      response_url: responseUrls.issue('commands', context),
      trigger_id: triggers.issue(user.id),
    }
    const outcome = await timed('slash_commands', payload)
    const complain = (error: string): Outcome => {
      const complaint = `${command} failed with the error "${error}"`
      state.whisper({ channel: channel.id, to: user.id, from: slackbot, text: complaint })
      return { ...outcome, complaint }
    }
    if (!outcome.delivered.acked) return complain(outcome.delivered.error)
    const body = outcome.delivered.body
    // An ack that speaks to the channel shows there what was typed, too.
    if (typeof body === 'object' && body.response_type === 'in_channel') {
      state.post({ channel: channel.id, user: user.id, text: `${command} ${given.text ?? ''}`.trim() })
    }
    try {
      answerFromAck(context, outcome.delivered)
    } catch (error) {
      if (error instanceof SlackRefusal) return complain('invalid_command_response')
      throw error
    }
    return outcome
  }

  const sendPress = async (
    payload: Json,
    context: ResponseContext | undefined,
    mark: { ts?: string; view?: string },
  ) => {
    const action = (payload.actions as readonly Json[])[0]
    const complaint = {
      user: (payload.user as Json).id as string,
      ...(context ? { channel: context.channel } : {}),
      ...mark,
      actionId: String(action?.action_id),
      text: trouble,
    }
    state.setComplaint(complaint, true)
    const outcome = await timed('interactive', payload)
    if (!outcome.delivered.acked) {
      state.setComplaint(complaint)
      return { ...outcome, complaint: trouble }
    }
    // What an ack of a press says, Slack does not read: there is the `response_url`.
    return outcome
  }

  /** Returns what everything holds once this control was used. */
  const heldAfter = (blocks: readonly Block[], control: Control, { value, values }: Press): Json =>
    valuesOf(blocks, value === undefined ? values : { ...values, [valueKey(control)]: value })

  const pressInView = (user: User, view: View, press: Press): Promise<Outcome> => {
    const control = findControl(view.blocks, press, `view ${view.id}`)
    return sendPress(
      {
        type: 'block_actions',
        ...common(user),
        container: { type: 'view', view_id: view.id },
        view: viewPayload(state, view, heldAfter(view.blocks, control, press)),
        actions: [actionOf(control, press.value, state.nextTs())],
      },
      undefined,
      { view: view.id },
    )
  }

  const pressInMessage = (user: User, channel: Channel, ts: string, press: Press): Promise<Outcome> => {
    const message = state.find(channel.id, ts)
    const whisper = state.findEphemeral(channel.id, ts)
    const shown: Message | typeof whisper = message ?? whisper
    if (!shown) throw new Error(`no message ${ts} in ${channel.id}`)
    const control = findControl(shown.blocks ?? [], press, `message ${ts}`)
    const ephemeral = message === undefined
    const context = { user: user.id, channel: channel.id, origin: { ts, ephemeral } }
    return sendPress(
      {
        type: 'block_actions',
        ...common(user),
        container: {
          type: 'message',
          message_ts: ts,
          channel_id: channel.id,
          is_ephemeral: ephemeral,
          ...(shown.thread_ts && shown.thread_ts !== ts ? { thread_ts: shown.thread_ts } : {}),
        },
        channel: { id: channel.id, name: nameFor(channel) },
        // A private message's content is not sent back to the app.
        ...(message ? { message } : {}),
        state: { values: heldAfter(shown.blocks ?? [], control, press) },
        response_url: responseUrls.issue('actions', context),
        actions: [actionOf(control, press.value, state.nextTs())],
      },
      context,
      { ts },
    )
  }

  const press = async (given: Press): Promise<Outcome> => {
    const user = userOf(given.userId)
    if (given.viewId) {
      const view = views.find((entry) => entry.id === given.viewId)
      if (!view) throw new Error(`no view ${given.viewId}`)
      return pressInView(user, view, given)
    }
    return pressInMessage(user, channelOf(given.channelId ?? ''), given.messageTs ?? '', given)
  }

  /** An event the app subscribed to: https://docs.slack.dev/apis/events-api */
  const sendEvent = (event: Json): Promise<Outcome> =>
    timed('events_api', {
      token: deps.verificationToken,
      team_id: team.id,
      api_app_id: app.id,
      event: { ...event, event_ts: state.nextTs() },
      type: 'event_callback',
      event_id: `Ev${state.nextTs().replace('.', '')}`,
      event_time: Math.floor(state.now() / 1000),
      authorizations: [
        {
          enterprise_id: null,
          team_id: team.id,
          user_id: app.botUserId,
          is_bot: true,
          is_enterprise_install: false,
        },
      ],
      is_ext_shared_channel: false,
    })

  /** https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload */
  const shortcut = async (given: ShortcutUse): Promise<Outcome> => {
    const user = userOf(given.userId)
    const { callbackId, channelId, messageTs } = given
    const type = messageTs === undefined ? 'global' : 'message'
    const known = deps.shortcuts?.some((one) => one.callbackId === callbackId && one.type === type) ?? true
    if (!known) throw new Error(`the manifest lists no ${type} shortcut ${callbackId}`)
    const payload = { ...common(user), callback_id: callbackId, action_ts: state.nextTs() }
    const complain = (outcome: Outcome & { readonly delivered: Delivered }): Outcome => {
      if (outcome.delivered.acked) return outcome
      return { ...outcome, complaint: trouble }
    }
    if (messageTs === undefined) return complain(await timed('interactive', { type: 'shortcut', ...payload }))
    const channel = channelOf(channelId ?? '')
    const message = state.find(channel.id, messageTs)
    if (!message) throw new Error(`no message ${messageTs} in ${channel.id}`)
    return complain(
      await timed('interactive', {
        type: 'message_action',
        ...payload,
        channel: { id: channel.id, name: nameFor(channel) },
        message,
        message_ts: messageTs,
        response_url: responseUrls.issue('actions', { user: user.id, channel: channel.id }),
      }),
    )
  }

  const { submitView, closeView } = createModals({ state, views, userOf, common, timed })
  return { slashCommand, press, shortcut, submitView, closeView, sendEvent }
}
