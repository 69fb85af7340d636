import type { State } from './state.ts'
import type { Channel, User, UserGroup } from './types.ts'

/** Makes the changes of an administrator: people, groups, channels. */
export const createDirectory = (state: State) => {
  const bot = state.seed.app.botUserId

  const known = <T>(entries: ReadonlyMap<string, T>, id: string, kind: string): T => {
    const entry = entries.get(id)
    if (!entry) throw new Error(`no ${kind} ${id} in this workspace`)
    return entry
  }
  const changeChannel = (id: string, change: (channel: Channel) => Partial<Channel>) => {
    const channel = known(state.channels, id, 'channel')
    state.setChannel({ ...channel, ...change(channel) })
  }
  const changeGroup = (id: string, change: Partial<UserGroup>) =>
    state.setUserGroup({ ...known(state.userGroups, id, 'user group'), ...change })

  return {
    addUser: (user: User) => state.addUser(user),
    updateUser: (userId: string, change: Partial<Omit<User, 'id'>>) =>
      state.addUser({ ...known(state.users, userId, 'user'), ...change }),
    setGroupMembers: (groupId: string, users: readonly string[]) => changeGroup(groupId, { users }),
    disableGroup: (groupId: string, disabled = true) => changeGroup(groupId, { disabled }),
    addChannel: (channel: Channel) => state.setChannel(channel),
    archive: (channelId: string, archived = true) => changeChannel(channelId, () => ({ archived })),
    /** Takes somebody out of a channel: the app itself if nobody is named. */
    kick: (channelId: string, userId = bot) =>
      changeChannel(channelId, ({ members }) => ({ members: members.filter((id) => id !== userId) })),
    invite: (channelId: string, userId = bot) =>
      changeChannel(channelId, ({ members }) => ({ members: [...new Set([...members, userId])] })),
    deleteMessage: (channelId: string, ts: string): boolean => state.remove(channelId, ts),
  }
}
