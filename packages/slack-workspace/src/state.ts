import { EventEmitter } from 'node:events'
import type { RefusedKinds } from './limits.ts'
import { slackbot } from './seed.ts'
import type {
  Block,
  Change,
  Channel,
  Complaint,
  Ephemeral,
  Json,
  LoggedRequest,
  Message,
  Seed,
  User,
  UserGroup,
  View,
} from './types.ts'

/** Message of an app or a person; `channel` is taken as checked. */
export type Draft = {
  readonly channel: string
  readonly user: string
  readonly text: string
  readonly blocks?: readonly Block[]
  readonly metadata?: Json
  readonly threadTs?: string
  readonly broadcast?: boolean
  readonly files?: readonly Json[]
}

export type State = ReturnType<typeof createState>

/** Past from which a kept workspace goes on. */
export type History = {
  readonly messages: Readonly<Record<string, readonly Message[]>>
  readonly ephemerals: readonly Ephemeral[]
}

/** A workspace that stays open all day must not grow without end. */
const requestLimit = 5_000

const randomId = (length: number) =>
  Array.from(
    { length },
    () => 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'[(Math.random() * 62) | 0],
  ).join('')

/**
 * Fills in what Slack fills in: ids of blocks and of interactive elements, `emoji` of plain text, `verbatim` of mrkdwn.
 * So a press carries the same block that `conversations.history` shows.
 */
export const completeBlocks = (blocks: readonly Block[]): readonly Block[] => {
  const texts = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(texts)
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, texts(entry)]))
    if (entries.type === 'plain_text') return { emoji: true, ...entries }
    if (entries.type === 'mrkdwn') return { verbatim: false, ...entries }
    return entries
  }
  const interactive = (element: unknown): unknown => {
    if (typeof element !== 'object' || element === null || !('type' in element)) return element
    const passive =
      ['image', 'plain_text', 'mrkdwn'].includes(String(element.type)) ||
      String(element.type).startsWith('rich_text')
    return passive || 'action_id' in element ? element : { ...element, action_id: randomId(5) }
  }
  return blocks.map((block) => {
    const whole = { block_id: randomId(5), ...(texts(block) as Block) } as Block
    if (whole.type === 'section' && whole.accessory)
      return { ...whole, accessory: interactive(whole.accessory) }
    if (whole.type === 'actions')
      return { ...whole, elements: (whole.elements as unknown[]).map(interactive) }
    if (whole.type === 'input') return { ...whole, element: interactive(whole.element) }
    return whole
  })
}

/** Everything the workspace remembers, and the one place that changes it. `now` is in milliseconds. */
export const createState = (seed: Seed, now: () => number, history?: History) => {
  const changes = new EventEmitter<{ change: [Change] }>().setMaxListeners(0)
  const { team, app } = seed
  const users = new Map<string, User>()
  const channels = new Map<string, Channel>()
  const userGroups = new Map(seed.userGroups.map((group) => [group.id, group]))
  const messages = new Map<string, Message[]>()
  const ephemerals: Ephemeral[] = []
  const complaints: Complaint[] = []
  const modals = new Map<string, View[]>()
  const homes = new Map<string, View>()
  const requests: LoggedRequest[] = []
  let lastTs = 0
  let refused: RefusedKinds = { kinds: [], named: true }

  const setRefusedKinds = (kinds: RefusedKinds) => {
    refused = kinds
  }

  const announce = (change: Change) => {
    changes.emit('change', change)
  }

  /** A message's `ts` is its id in its channel: seconds with six digits, never twice the same. */
  const nextTs = (): string => {
    lastTs = Math.max(lastTs + 1, Math.floor(now() * 1000))
    return `${Math.floor(lastTs / 1e6)}.${String(lastTs % 1e6).padStart(6, '0')}`
  }

  const addUser = (user: User) => {
    users.set(user.id, user)
    announce({ kind: 'user', user })
  }
  const setChannel = (channel: Channel) => {
    channels.set(channel.id, channel)
    if (!messages.has(channel.id)) messages.set(channel.id, [])
    announce({ kind: 'channel', channel })
  }
  const setUserGroup = (userGroup: UserGroup) => {
    userGroups.set(userGroup.id, userGroup)
    announce({ kind: 'userGroup', userGroup })
  }

  addUser({ id: slackbot, teamId: team.id, name: 'slackbot', realName: 'Slackbot', isBot: true })
  addUser({ id: app.botUserId, teamId: team.id, name: app.name, realName: app.name, isBot: true })
  for (const user of seed.users) addUser(user)
  for (const channel of seed.channels) {
    setChannel({ kind: 'public', archived: false, topic: '', ...channel })
  }

  const openIm = (user: string): Channel => {
    const id = `D${user.slice(1)}`
    const found = channels.get(id)
    if (found) return found
    const im: Channel = {
      id,
      name: 'directmessage',
      kind: 'im',
      archived: false,
      topic: '',
      members: [user, app.botUserId],
    }
    setChannel(im)
    return im
  }
  for (const user of seed.users) {
    if (!user.deleted && !user.isBot && !user.isStranger) openIm(user.id)
  }

  for (const [channel, earlier] of Object.entries(history?.messages ?? {}))
    messages.get(channel)?.push(...earlier)
  ephemerals.push(...(history?.ephemerals ?? []))
  for (const { ts } of [...[...messages.values()].flat(), ...ephemerals])
    lastTs = Math.max(lastTs, Math.round(Number(ts) * 1e6))

  const messagesIn = (channel: string): readonly Message[] => messages.get(channel) ?? []
  const find = (channel: string, ts: string) => messagesIn(channel).find((message) => message.ts === ts)

  const replace = (
    channel: string,
    ts: string,
    change: (message: Message) => Message,
  ): Message | undefined => {
    const all = messages.get(channel)
    const index = all?.findIndex((message) => message.ts === ts) ?? -1
    const before = all?.[index]
    if (!all || !before) return undefined
    const message = change(before)
    all[index] = message
    announce({ kind: 'message', channel, message })
    return message
  }

  const recountThread = (channel: string, threadTs: string) => {
    const replies = messagesIn(channel).filter(
      (message) => message.thread_ts === threadTs && message.ts !== threadTs,
    )
    const people = [...new Set(replies.map((reply) => reply.user))]
    replace(channel, threadTs, (parent) => {
      const {
        reply_count: _c,
        reply_users: _u,
        reply_users_count: _n,
        latest_reply: _l,
        thread_ts: _t,
        ...bare
      } = parent
      if (replies.length === 0) return bare
      return {
        ...bare,
        thread_ts: threadTs,
        reply_count: replies.length,
        reply_users: people,
        reply_users_count: people.length,
        latest_reply: replies.at(-1)?.ts ?? threadTs,
      }
    })
  }

  const post = (draft: Draft): Message => {
    const byApp = draft.user === app.botUserId
    const message: Message = {
      type: 'message',
      ...(draft.broadcast ? { subtype: 'thread_broadcast' } : {}),
      ts: nextTs(),
      user: draft.user,
      team: users.get(draft.user)?.teamId ?? team.id,
      text: draft.text,
      ...(byApp ? { bot_id: app.botId, app_id: app.id } : {}),
      ...(draft.blocks?.length ? { blocks: completeBlocks(draft.blocks) } : {}),
      ...(draft.metadata ? { metadata: draft.metadata } : {}),
      ...(draft.threadTs ? { thread_ts: draft.threadTs } : {}),
      ...(draft.files ? { upload: true, files: draft.files } : {}),
    }
    messages.get(draft.channel)?.push(message)
    announce({ kind: 'message', channel: draft.channel, message })
    if (draft.threadTs) recountThread(draft.channel, draft.threadTs)
    return message
  }

  /** `undefined` keeps what was there, as `chat.update` documents for blocks and text. */
  const update = (
    channel: string,
    ts: string,
    change: { readonly text?: string; readonly blocks?: readonly Block[]; readonly metadata?: Json },
  ): Message | undefined =>
    replace(channel, ts, (before) => {
      const { blocks: old, ...rest } = before
      const blocks = change.blocks ? completeBlocks(change.blocks) : old
      return {
        ...rest,
        ...(change.text === undefined ? {} : { text: change.text }),
        ...(blocks?.length ? { blocks } : {}),
        ...(change.metadata ? { metadata: change.metadata } : {}),
        edited: { user: before.user, ts: nextTs() },
      }
    })

  const remove = (channel: string, ts: string): boolean => {
    const all = messages.get(channel)
    const index = all?.findIndex((message) => message.ts === ts) ?? -1
    const gone = all?.[index]
    if (!all || !gone) return false
    all.splice(index, 1)
    announce({ kind: 'messageDeleted', channel, ts })
    if (gone.thread_ts && gone.thread_ts !== ts) recountThread(channel, gone.thread_ts)
    return true
  }

  const whisper = (entry: Omit<Ephemeral, 'ts'>): Ephemeral => {
    const ephemeral = {
      ...entry,
      ts: nextTs(),
      ...(entry.blocks?.length ? { blocks: completeBlocks(entry.blocks) } : {}),
    }
    ephemerals.push(ephemeral)
    announce({ kind: 'ephemeral', ephemeral })
    return ephemeral
  }
  const findEphemeral = (channel: string, ts: string) =>
    ephemerals.find((entry) => entry.channel === channel && entry.ts === ts)
  const replaceEphemeral = (before: Ephemeral, text: string, blocks: readonly Block[] | undefined) => {
    const { blocks: _old, ...rest } = before
    const ephemeral = { ...rest, text, ...(blocks?.length ? { blocks: completeBlocks(blocks) } : {}) }
    ephemerals[ephemerals.indexOf(before)] = ephemeral
    announce({ kind: 'ephemeral', ephemeral })
  }
  const removeEphemeral = (ephemeral: Ephemeral) => {
    ephemerals.splice(ephemerals.indexOf(ephemeral), 1)
    announce({ kind: 'ephemeralDeleted', ephemeral })
  }

  const sameControl = (a: Complaint, b: Complaint) =>
    a.user === b.user &&
    a.channel === b.channel &&
    a.ts === b.ts &&
    a.view === b.view &&
    a.actionId === b.actionId
  const setComplaint = (complaint: Complaint, gone = false) => {
    const index = complaints.findIndex((entry) => sameControl(entry, complaint))
    if (index >= 0) complaints.splice(index, 1)
    else if (gone) return
    if (!gone) complaints.push(complaint)
    announce({ kind: 'complaint', complaint, ...(gone ? { gone: true } : {}) })
  }

  const setModals = (user: string, views: readonly View[]) => {
    modals.set(user, [...views])
    announce({ kind: 'modals', user, views })
  }
  const setHome = (view: View) => {
    homes.set(view.user, view)
    announce({ kind: 'home', user: view.user, view })
  }
  const log = (request: LoggedRequest) => {
    requests.push(request)
    if (requests.length > requestLimit) requests.shift()
    announce({ kind: 'request', request })
  }

  return {
    refusedKinds: () => refused,
    setRefusedKinds,
    seed,
    now,
    changes,
    users,
    channels,
    userGroups,
    messages,
    ephemerals,
    complaints,
    modals,
    homes,
    requests,
    announce,
    nextTs,
    addUser,
    setChannel,
    setUserGroup,
    openIm,
    messagesIn,
    find,
    post,
    update,
    remove,
    whisper,
    findEphemeral,
    replaceEphemeral,
    removeEphemeral,
    setComplaint,
    setModals,
    setHome,
    log,
    history: (): History => ({ messages: Object.fromEntries(messages), ephemerals }),
  }
}
