/** Data of the workspace, in Slack's own words and shapes (https://docs.slack.dev/reference/objects). */

export type Json = Readonly<Record<string, unknown>>

/** A Block Kit block as an app sends it; `limits.ts` has checked it before it is kept. */
export type Block = Json & { readonly type: string; readonly block_id?: string }

export type User = {
  readonly id: string
  readonly teamId: string
  /** The handle, as in `@riley`. */
  readonly name: string
  readonly realName: string
  readonly title?: string
  readonly isAdmin?: boolean
  readonly isBot?: boolean
  readonly deleted?: boolean
  /** A guest (multi-channel). */
  readonly isRestricted?: boolean
  /** A guest of a single channel. */
  readonly isUltraRestricted?: boolean
  /** Somebody of another workspace, met through Slack Connect. */
  readonly isStranger?: boolean
  readonly tz?: string
}

export type Channel = {
  readonly id: string
  readonly name: string
  readonly kind: 'public' | 'private' | 'im'
  readonly archived: boolean
  readonly topic: string
  readonly members: readonly string[]
}

export type UserGroup = {
  readonly id: string
  readonly handle: string
  readonly name: string
  readonly users: readonly string[]
  readonly disabled?: boolean
}

/** A message as `conversations.history` gives it: https://docs.slack.dev/reference/events/message */
export type Message = {
  readonly type: 'message'
  readonly subtype?: string
  readonly ts: string
  readonly user: string
  readonly team: string
  readonly text: string
  readonly bot_id?: string
  readonly app_id?: string
  readonly blocks?: readonly Block[]
  readonly metadata?: Json
  readonly thread_ts?: string
  readonly reply_count?: number
  readonly reply_users?: readonly string[]
  readonly reply_users_count?: number
  readonly latest_reply?: string
  readonly edited?: { readonly user: string; readonly ts: string }
  readonly upload?: boolean
  /** https://docs.slack.dev/reference/objects/file-object */
  readonly files?: readonly Json[]
}

/** "Only visible to you". Slack keeps these in the client alone; here they survive a reload. */
export type Ephemeral = {
  readonly ts: string
  readonly channel: string
  /** User who sees it. */
  readonly to: string
  /** Author: the app's user, or `USLACKBOT` for Slack's own errors. */
  readonly from: string
  readonly text: string
  readonly blocks?: readonly Block[]
  readonly thread_ts?: string
}

/** https://docs.slack.dev/reference/views */
export type View = {
  readonly id: string
  readonly type: 'modal' | 'home'
  readonly hash: string
  readonly user: string
  readonly title?: Json
  readonly submit?: Json
  readonly close?: Json
  readonly blocks: readonly Block[]
  readonly private_metadata: string
  readonly callback_id: string
  readonly external_id: string
  readonly clear_on_close: boolean
  readonly notify_on_close: boolean
  readonly root_view_id: string
  readonly previous_view_id: string | null
  /** From `response_action: "errors"`: block id → what is wrong. */
  readonly errors?: Readonly<Record<string, string>>
  /** Slack's own words when the app did not answer. */
  readonly complaint?: string
}

/** Slack's warning sign beside a control whose press the app did not acknowledge. */
export type Complaint = {
  readonly user: string
  readonly channel?: string
  readonly ts?: string
  readonly view?: string
  readonly actionId: string
  readonly text: string
}

export type Seed = {
  readonly team: { readonly id: string; readonly name: string; readonly domain: string }
  readonly app: {
    readonly id: string
    readonly name: string
    readonly botId: string
    readonly botUserId: string
  }
  readonly users: readonly User[]
  readonly channels: readonly (Pick<Channel, 'id' | 'name' | 'members'> & Partial<Channel>)[]
  readonly userGroups: readonly UserGroup[]
}

/** One thing that changed; the page hears of it by server-sent events and tests wait for it. */
export type Change =
  | { readonly kind: 'message'; readonly channel: string; readonly message: Message }
  | { readonly kind: 'messageDeleted'; readonly channel: string; readonly ts: string }
  | { readonly kind: 'ephemeral'; readonly ephemeral: Ephemeral }
  | { readonly kind: 'ephemeralDeleted'; readonly ephemeral: Ephemeral }
  | { readonly kind: 'complaint'; readonly complaint: Complaint; readonly gone?: true }
  | { readonly kind: 'modals'; readonly user: string; readonly views: readonly View[] }
  | { readonly kind: 'home'; readonly user: string; readonly view: View }
  | { readonly kind: 'channel'; readonly channel: Channel }
  | { readonly kind: 'user'; readonly user: User }
  | { readonly kind: 'userGroup'; readonly userGroup: UserGroup }
  | { readonly kind: 'sockets'; readonly open: number }
  | { readonly kind: 'request'; readonly request: LoggedRequest }
  /** Somebody typed a command, pressed a control or sent a modal. */
  | { readonly kind: 'interaction'; readonly user: string }

/** A call of the app to us, for tests to look at. */
export type LoggedRequest = {
  /** A Web API method, or `response_url`. */
  readonly method: string
  readonly args: Json
  /** Milliseconds since 1970. */
  readonly at: number
  readonly response?: Json
}

/** A Web API refusal: `{ok: false, error}` and what Slack adds to it. */
export class SlackRefusal extends Error {
  readonly code: string
  readonly extra: Json
  constructor(code: string, extra: Json = {}) {
    super(code)
    this.name = 'SlackRefusal'
    this.code = code
    this.extra = extra
  }
}
