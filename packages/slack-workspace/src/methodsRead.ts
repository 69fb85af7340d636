import { bool, channelFor, memberOnly, need, page, str } from './arguments.ts'
import type { State } from './state.ts'
import { type Channel, type Json, SlackRefusal, type User, type UserGroup } from './types.ts'
import type { Method } from './webapi.ts'

/** https://docs.slack.dev/reference/objects/user-object */
const userObject = (state: State, user: User): Json => ({
  id: user.id,
  team_id: user.teamId,
  name: user.name,
  deleted: user.deleted ?? false,
  color: '9f69e7',
  real_name: user.realName,
  tz: user.tz ?? 'Europe/Amsterdam',
  tz_label: 'Central European Time',
  tz_offset: 3600,
  profile: {
    title: user.title ?? '',
    real_name: user.realName,
    display_name: user.name,
    real_name_normalized: user.realName,
    display_name_normalized: user.name,
    team: user.teamId,
  },
  is_admin: user.isAdmin ?? false,
  is_owner: false,
  is_primary_owner: false,
  is_restricted: user.isRestricted ?? false,
  is_ultra_restricted: user.isUltraRestricted ?? false,
  is_bot: user.isBot ?? false,
  is_app_user: false,
  ...(user.isStranger ? { is_stranger: true } : {}),
  ...(user.id === state.seed.app.botUserId ? { profile_bot_id: state.seed.app.botId } : {}),
  updated: 1_700_000_000,
})

/** https://docs.slack.dev/reference/objects/conversation-object */
const channelObject = (state: State, channel: Channel): Json => {
  const bot = state.seed.app.botUserId
  const shared = channel.members.some((id) => state.users.get(id)?.isStranger)
  return {
    id: channel.id,
    ...(channel.kind === 'im'
      ? { user: channel.members.find((id) => id !== bot) ?? bot }
      : { name: channel.name, name_normalized: channel.name }),
    is_channel: channel.kind === 'public',
    is_group: channel.kind === 'private',
    is_im: channel.kind === 'im',
    is_mpim: false,
    is_private: channel.kind !== 'public',
    is_archived: channel.archived,
    is_general: false,
    is_shared: shared,
    is_ext_shared: shared,
    is_org_shared: false,
    is_member: channel.members.includes(bot),
    context_team_id: state.seed.team.id,
    creator: 'U0DANA',
    created: 1_700_000_000,
    topic: { value: channel.topic, creator: '', last_set: 0 },
    purpose: { value: '', creator: '', last_set: 0 },
  }
}

/** https://docs.slack.dev/reference/objects/usergroup-object */
const groupObject = (state: State, group: UserGroup, withUsers: boolean): Json => ({
  id: group.id,
  team_id: state.seed.team.id,
  is_usergroup: true,
  is_subteam: true,
  is_external: false,
  name: group.name,
  description: '',
  handle: group.handle,
  date_create: 1_700_000_000,
  date_update: 1_700_000_000,
  date_delete: group.disabled ? 1_700_000_001 : 0,
  auto_type: null,
  created_by: 'U0DANA',
  updated_by: 'U0DANA',
  deleted_by: group.disabled ? 'U0DANA' : null,
  prefs: { channels: [], groups: [] },
  user_count: group.users.length,
  ...(withUsers ? { users: group.users } : {}),
})

/** Picks the scope that a conversation needs, by its kind. */
const conversationScope =
  (verb: 'read' | 'history') =>
  (state: State, args: Json): string => {
    const kind = state.channels.get(str(args, 'channel') ?? '')?.kind ?? 'public'
    return `${{ public: 'channels', private: 'groups', im: 'im' }[kind]}:${verb}`
  }

const moment = (args: Json, name: 'oldest' | 'latest'): string | undefined => {
  const given = str(args, name)
  if (given !== undefined && !/^\d+(\.\d*)?$/.test(given)) throw new SlackRefusal(`invalid_ts_${name}`)
  return given
}

const between = (ts: string, args: Json): boolean => {
  const oldest = moment(args, 'oldest')
  const latest = moment(args, 'latest')
  const inclusive = bool(args, 'inclusive')
  const time = Number(ts)
  if (oldest && !(time > Number(oldest) || (inclusive && ts === oldest))) return false
  return !(latest && !(time < Number(latest) || (inclusive && ts === latest)))
}

export const readMethods: Readonly<Record<string, Method>> = {
  'users.info': {
    scope: () => 'users:read',
    run: ({ state }, args) => {
      const user = state.users.get(need(args, 'user'))
      if (!user) throw new SlackRefusal('user_not_found')
      return { user: userObject(state, user) }
    },
  },
  'usergroups.list': {
    scope: () => 'usergroups:read',
    run: ({ state }, args) => ({
      usergroups: [...state.userGroups.values()]
        .filter((group) => !group.disabled || bool(args, 'include_disabled'))
        .map((group) => groupObject(state, group, bool(args, 'include_users'))),
    }),
  },
  'usergroups.users.list': {
    scope: () => 'usergroups:read',
    run: ({ state }, args) => {
      const group = state.userGroups.get(need(args, 'usergroup'))
      if (!group || (group.disabled && !bool(args, 'include_disabled')))
        throw new SlackRefusal('no_such_subteam')
      return { users: group.users }
    },
  },
  'conversations.info': {
    scope: conversationScope('read'),
    run: ({ state }, args) => {
      const channel = channelFor(state, need(args, 'channel'))
      return {
        channel: {
          ...channelObject(state, channel),
          ...(bool(args, 'include_num_members') ? { num_members: channel.members.length } : {}),
        },
      }
    },
  },
  'conversations.members': {
    scope: conversationScope('read'),
    run: ({ state }, args) => {
      const { items, cursor } = page(channelFor(state, need(args, 'channel')).members, args, 100, 1000)
      return { members: items, response_metadata: { next_cursor: cursor } }
    },
  },
  'conversations.history': {
    scope: conversationScope('history'),
    run: ({ state }, args) => {
      const channel = memberOnly(state, channelFor(state, need(args, 'channel')))
      const shown = state
        .messagesIn(channel.id)
        .filter(
          (entry) => !entry.thread_ts || entry.thread_ts === entry.ts || entry.subtype === 'thread_broadcast',
        )
        .filter((entry) => between(entry.ts, args))
        .toReversed()
      const { items, cursor } = page(shown, args, 100, 999)
      return {
        messages: items.map((entry) => withMetadata(entry, args)),
        has_more: cursor !== '',
        pin_count: 0,
        response_metadata: { next_cursor: cursor },
      }
    },
  },
  'conversations.replies': {
    scope: conversationScope('history'),
    run: ({ state }, args) => {
      const channel = memberOnly(state, channelFor(state, need(args, 'channel')))
      const ts = need(args, 'ts')
      if (!state.find(channel.id, ts)) throw new SlackRefusal('thread_not_found')
      const shown = state
        .messagesIn(channel.id)
        .filter((entry) => entry.ts === ts || (entry.thread_ts === ts && between(entry.ts, args)))
      const { items, cursor } = page(shown, args, 1000, 1000)
      return {
        messages: items.map((entry) => withMetadata(entry, args)),
        has_more: cursor !== '',
        response_metadata: { next_cursor: cursor },
      }
    },
  },
  'conversations.open': {
    scope: () => 'im:write',
    run: ({ state }, args) => {
      const given = str(args, 'channel')
      if (given) return { channel: { id: channelFor(state, given).id } }
      const ids = (str(args, 'users') ?? '').split(',').filter(Boolean)
      if (ids.length === 0) throw new SlackRefusal('users_list_not_supplied')
      // Group direct messages are outside what this workspace plays.
      if (ids.length > 1) throw new SlackRefusal('not_enough_users')
      const user = state.users.get(ids[0] as string)
      if (!user) throw new SlackRefusal('user_not_found')
      if (user.deleted) throw new SlackRefusal('user_disabled')
      if (user.isBot) throw new SlackRefusal('cannot_dm_bot')
      const known = state.channels.has(`D${user.id.slice(1)}`)
      const channel = state.openIm(user.id)
      return {
        ...(known ? { no_op: true, already_open: true } : {}),
        channel: bool(args, 'return_im') ? channelObject(state, channel) : { id: channel.id },
      }
    },
  },
}

/** Metadata is given only to those who ask for it. */
const withMetadata = (message: Json, args: Json): Json => {
  if (bool(args, 'include_all_metadata')) return message
  const { metadata: _metadata, ...rest } = message
  return rest
}
