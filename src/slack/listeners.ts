import type { App } from '@slack/bolt'
import type { Approve } from '../actions/approve.ts'
import type { Ask } from '../actions/ask.ts'
import { type Authorization, type Caller, unknownButton } from '../actions/authorize.ts'
import type { ReadDetails } from '../actions/details.ts'
import type { Propose } from '../actions/propose.ts'
import type { ProposeBulk } from '../actions/proposeBulk.ts'
import type { Silencing } from '../actions/silence.ts'
import type { Reports } from '../answers/report.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { parseCommand } from '../commands/command.ts'
import type { Sweep } from '../config/sweeps.ts'
import { quoted } from '../domain/lists/filters.ts'
import type { Log } from '../log.ts'
import { emptyCopy } from '../notify/outbox.ts'
import type { Store } from '../store/store.ts'
import { answerCallback } from '../views/answerModal.ts'
import { askedView } from '../views/answers/asked.ts'
import { wholeDigestView } from '../views/card/digest.ts'
import { codeCallback } from '../views/secondFactor.ts'
import { type ButtonAction, readButton } from './buttons.ts'
import type { Slack } from './client.ts'
import { type Codes, proposalIn, type SentCode } from './codes.ts'
import { createDetailsModal } from './detailsModal.ts'
import { askWhom, listenToHandOver } from './handOver.ts'
import type { Homes } from './home.ts'
import { readMention } from './mentions.ts'
import type { Modals } from './modals.ts'
import { originOf } from './origin.ts'
import type { LinkTo } from './permalinks.ts'
import type { Questions } from './questions.ts'
import { askWhy, listenToReasons } from './reasons.ts'
import { createReplies, type Reply } from './replies.ts'
import type { RightsOf } from './rights.ts'
import { askWhere, listenToSharing } from './shareReport.ts'
import { listenToShortcuts, shortcuts } from './shortcuts.ts'
import { createTake } from './take.ts'
import { createTyped } from './typed.ts'

export type ListenerDeps = {
  readonly slack: Slack
  readonly modals: Modals
  readonly store: Pick<Store, 'incidents' | 'proposals'> & Pick<Store['messages'], 'seenAt'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** The channels that the bot is configured for: answers there are visible to all, elsewhere private. */
  readonly channels: ReadonlySet<string>
  readonly questions: Questions
  readonly readDetails: ReadDetails
  readonly approve: Approve
  readonly codes: Codes
  readonly propose: Propose
  readonly proposeBulk: ProposeBulk
  readonly ask: Ask
  /** Finds the address of a card, also of one that is on its way. */
  readonly linkTo: LinkTo
  readonly silencing: Silencing
  readonly homes: Homes
  readonly sharedReport: Reports['shared']
  readonly rightsOf: RightsOf
  /** Returns the sweeps that are configured now. */
  readonly sweeps: () => readonly Sweep[]
  readonly now: () => number
  readonly authorization: Authorization
  readonly log: Log
}

/** Every entry from Slack: acknowledge, parse, check who it is, call. Nothing is decided here. */
export function listen(app: App, deps: ListenerDeps): void {
  const { slack, modals, channels, homes, log, approve, questions } = deps
  const { authorize, refuse } = deps.authorization
  const replies = createReplies({ slack, log })
  const detailsModal = createDetailsModal(deps)
  const take = createTake(deps)
  const typed = createTyped(deps)

  app.command('/pg', async ({ command, ack, respond }) => {
    const caller: Caller = { userId: command.user_id, teamId: command.team_id ?? null }
    const parsed = parseCommand(command.text ?? '')
    const reply = replies.to(
      respond,
      command.channel_id,
      caller,
      questions.mayBeOpen(parsed, command.channel_id),
    )
    await take('/pg', ack, reply, () => typed.run(caller, command.channel_id, command.text ?? '', reply))
  })

  app.event('app_mention', async ({ event, body, context }) => {
    const mention = readMention(event, body.team_id, context.botUserId)
    if (!mention) return
    const { caller, channel } = mention
    const reply = replies.inThread(mention, questions.mayBeOpen(parseCommand(mention.typed), channel))
    await take('mention', acknowledged, reply, () => typed.run(caller, channel, mention.typed, reply))
  })

  app.action(/.*/, async ({ body, action, ack, respond }) => {
    if (body.type !== 'block_actions') return
    const caller: Caller = { userId: body.user.id, teamId: body.user.team_id ?? null }
    const press = readButton(Reflect.get(action, 'action_id'), valueIn(action))
    const channel = body.channel?.id ?? ''
    // A button in a modal or on a Home has no channel and no response address.
    const whisper = whisperAbout(press, caller)
    const isOnHome = body.view?.type === 'home'
    const inAnswer = body.view?.callback_id === answerCallback ? body.view.id : null
    const reply = body.channel
      ? replies.to(respond, channel, caller, false)
      : isOnHome
        ? homes.replyOn(caller, whisper)
        : inAnswer
          ? modals.over(body.trigger_id, whisper)
          : whisper
    const shown = inAnswer ? modals.replacing(inAnswer) : reply
    await take('button', ack, reply, async () => {
      switch (press.kind) {
        case 'approve': {
          const pressed = { caller, ...press, decision: 'approve', reason: '' } as const
          const answer = await deps.codes.press(pressed, body.trigger_id)
          await seen(press.proposalId, channel, Reflect.get(body.container, 'message_ts'))
          return answer
        }
        case 'deny':
          return askWhy(deps, 'deny', caller, { ...press, triggerId: body.trigger_id })
        case 'breakGlass':
          return askWhy(deps, 'breakGlass', caller, { ...press, triggerId: body.trigger_id })
        case 'details':
          return detailsModal.open(
            caller,
            press.cardId,
            { id: body.trigger_id, from: body.view?.type ?? 'message' },
            reply,
          )
        case 'refresh':
          return detailsModal.refresh(caller, press.cardId, body.view?.id)
        case 'propose':
          return typed.request({ caller, ...press.session, action: press.action, reason: '' })
        case 'proposeIdle':
          return typed.requestIdle(caller, press.cluster, press.holder)
        case 'turnList':
          return detailsModal.refresh(caller, press.cardId, body.view?.id, press.page)
        case 'takeOff': {
          const taken = await deps.proposeBulk.takeOff(caller, press.off)
          if ('refusal' in taken) return taken.refusal
          return detailsModal.refresh(caller, taken.cardId, body.view?.id)
        }
        case 'acknowledge':
        case 'takeOver':
        case 'handBack':
          return deps.silencing.lookAfter(caller, press.incidentId, press.kind)
        case 'handOver':
          return askWhom(deps, caller, press.incidentId, body.trigger_id)
        case 'shareReport':
          return askWhere(deps, caller, press.incidentId, body.trigger_id)
        case 'snooze':
          return deps.silencing.snooze(caller, press.incidentId, press.choice)
        case 'showAll':
          return showAll(caller, press.cardId, reply)
        case 'offerAgain':
          return deps.propose.again(caller, press.proposalId)
        case 'showAnswer':
          return questions.show({ caller, channelId: channel, typed: press.command }, shown)
        case 'pickCluster': {
          const command = `sessions --cluster ${quoted(press.cluster)}`
          return questions.show({ caller, channelId: channel, typed: command }, shown)
        }
        case 'refreshAnswer': {
          const origin = originOf(body.container)
          const message = {
            isPrivate: origin.isPrivate,
            edit: inAnswer ? shown.privately : replies.editing(respond, channel, caller, origin),
          }
          return questions.again({ caller, channelId: channel, typed: press.command, message }, reply)
        }
        case 'ask': {
          const asked = await deps.ask(caller, press.proposalId)
          if ('refusal' in asked) return asked.refusal
          return askedView(asked.approvers, asked.askedAt, { link: await deps.linkTo(asked.cardId) })
        }
        case 'refreshHome':
          return null
        case 'malformed':
          return refuse(
            { caller, where: 'button' },
            {
              code: 'malformed',
              reason:
                'this button is damaged or not mine, so nothing was done; use the buttons on the latest card',
            },
          )
      }
    })
    if (isOnHome) await homes.opened(caller, hashOf(body.view))
  })

  app.event('app_home_opened', async ({ event, body }) => {
    if (event.tab !== 'home') return
    const caller: Caller = { userId: event.user, teamId: body.team_id ?? null }
    const reply = homes.replyOn(caller, replies.whispering(channelOf(undefined), caller))
    await take('home', acknowledged, reply, async () => {
      await homes.opened(caller, hashOf(event.view))
      return null
    })
  })

  app.view(codeCallback, async ({ body, view, ack }) => {
    const caller: Caller = { userId: body.user.id, teamId: body.user.team_id ?? null }
    const metadata = String(view.private_metadata ?? '')
    let sent: SentCode = { errors: {} }
    // Errors stand at the fields only in the acknowledgement, so the code is read before it.
    const readAndAck = async () => {
      try {
        sent = await deps.codes.read(caller, metadata, view.state.values)
      } catch (error) {
        await ack()
        throw error
      }
      await ('errors' in sent ? ack({ response_action: 'errors', errors: sent.errors }) : ack())
    }
    const about = { kind: 'breakGlass', proposalId: proposalIn(metadata) } as const
    await take('modal', readAndAck, whisperAbout(about, caller), async () =>
      'press' in sent ? approve(sent.press) : null,
    )
  })

  listenToReasons(app, {
    ...deps,
    take,
    answering: (cluster, caller) => homes.replyAlsoOn(caller, replies.whispering(channelOf(cluster), caller)),
  })
  listenToShortcuts(app, { ...deps, replies, take })
  listenToHandOver(app, {
    ...deps,
    take,
    whisper: (cluster, caller) => replies.whispering(channelOf(cluster), caller),
  })

  listenToSharing(app, {
    ...deps,
    take,
    whisper: (cluster, caller) => replies.whispering(channelOf(cluster), caller),
  })

  // What is not ours is acknowledged, so that nobody sees Slack's own error, and does nothing.
  const ours = Object.values(shortcuts).join('|')
  app.shortcut(new RegExp(`^(?!(?:${ours})$)`), ({ ack }) => ack())
  app.view(
    { callback_id: /^(?!deny_reason$|break_glass_reason$|pg_second_factor$|pg_hand_over$|pg_share_report$)/ },
    ({ ack }) => ack(),
  )

  /** Answers a press in private, in the channel of the cluster that it is about. */
  function whisperAbout(press: ButtonAction, caller: Caller): Reply {
    const privately: Reply['privately'] = async (view) => {
      const proposal =
        'proposalId' in press ? await deps.store.proposals.get(press.proposalId).catch(() => null) : null
      const cluster = press.kind === 'propose' ? press.session.cluster : proposal?.key.cluster
      await replies.whispering(channelOf(cluster), caller).privately(view)
    }
    return { privately, openly: privately }
  }

  /** The channel of a cluster; some channel of ours where it is not known. */
  function channelOf(cluster: string | undefined): string {
    const [anyChannel = ''] = channels
    return deps.clusters.get(cluster ?? '')?.config.channel ?? anyChannel
  }

  /**
   * A post whose reply was lost may stand twice, and we know of one alone, or of none yet. Who presses a button shows us
   * where one is.
   */
  async function seen(proposalId: string, channel: string, pressedTs: unknown) {
    const proposal = await deps.store.proposals.get(proposalId)
    if (!proposal || typeof pressedTs !== 'string') return
    const ts = await deps.store.seenAt(proposal.cardId, channel, pressedTs)
    if (ts !== null && ts !== pressedTs) await emptyCopy(slack, channel, pressedTs, log)
  }

  async function showAll(caller: Caller, cardId: string, reply: Reply) {
    const entry = { caller, where: 'button pg_show_all' }
    const incidents = await deps.store.incidents.ofCard(cardId)
    const watched = deps.clusters.get(incidents[0]?.cluster ?? '')
    if (!watched) return refuse(entry, unknownButton)
    const refusal = await authorize(entry, watched.config.access.viewers, false)
    if (refusal) return refusal
    await reply.privately(wholeDigestView(watched.config.name, cardId, incidents))
    return null
  }
}

/** Reads the value of a button, or of what was chosen in a menu. */
const valueIn = (action: { readonly type: string }): unknown =>
  'selected_option' in action && action.selected_option instanceof Object
    ? Reflect.get(action.selected_option, 'value')
    : Reflect.get(action, 'value')

/** The state of a view that somebody looks at; null where Slack did not say it. */
function hashOf(view: object | undefined): string | null {
  const hash: unknown = view && Reflect.get(view, 'hash')
  return typeof hash === 'string' ? hash : null
}

/** Bolt acknowledges an event before it hands it on. */
const acknowledged = async () => {}
