/** State of the workspace, and of what this tab looks at. */

const remembered = (storage, name) => {
  try {
    return storage.getItem(`slack-workspace.${name}`)
  } catch {
    return null
  }
}
const remember = (name, value) => {
  try {
    // The tab keeps its own; a new tab begins where the last one was.
    sessionStorage.setItem(`slack-workspace.${name}`, value)
    localStorage.setItem(`slack-workspace.${name}`, value)
  } catch {
    // Private windows may refuse storage; then a reload forgets.
  }
}

export function createStore() {
  const listeners = new Set()
  /**
   * The workspace; `null` until the first word from it. What reads it comes later.
   * @type {any}
   */
  let data = null
  let people = 0
  let connected = true
  const look = { me: '', channel: '', thread: '', tab: 'messages', highlight: '' }
  /** Texts and choices that people have not sent yet, by place. */
  const held = new Map()
  const seen = JSON.parse(remembered(localStorage, 'seen') ?? '{}')
  let scheduled = false

  const changed = () => {
    if (scheduled) return
    scheduled = true
    queueMicrotask(() => {
      scheduled = false
      if (data) for (const listener of listeners) listener()
    })
  }

  const channel = (id) => data.channels.find((entry) => entry.id === id)
  const user = (id) => data.users.find((entry) => entry.id === id)
  const mayAct = (entry) => !entry.isBot && !entry.deleted
  const myChannels = () => data.channels.filter((entry) => entry.members.includes(look.me))
  const appDm = () => data.channels.find((entry) => entry.kind === 'im' && entry.members.includes(look.me))

  const settle = () => {
    const wanted = new URLSearchParams(location.search).get('as')
    const actors = data.users.filter(mayAct)
    if (!actors.some((entry) => entry.id === look.me)) {
      const choices = [
        wanted,
        remembered(sessionStorage, 'me'),
        remembered(localStorage, 'me'),
        actors[0]?.id,
      ]
      look.me = choices.find((id) => actors.some((entry) => entry.id === id)) ?? ''
    }
    if (!myChannels().some((entry) => entry.id === look.channel)) {
      const choices = [
        remembered(sessionStorage, 'channel'),
        remembered(localStorage, 'channel'),
        myChannels()[0]?.id,
      ]
      look.channel = choices.find((id) => myChannels().some((entry) => entry.id === id)) ?? ''
      look.thread = ''
    }
  }

  const upsert = (list, entry, match) => {
    const index = list.findIndex(match)
    if (index < 0) list.push(entry)
    else list[index] = entry
  }
  const byId = (entry) => (other) => other.id === entry.id

  const reduce = {
    message: ({ channel: id, message }) => {
      data.messages[id] ??= []
      upsert(data.messages[id], message, (other) => other.ts === message.ts)
    },
    messageDeleted: ({ channel: id, ts }) => {
      data.messages[id] = (data.messages[id] ?? []).filter((other) => other.ts !== ts)
    },
    ephemeral: ({ ephemeral }) => upsert(data.ephemerals, ephemeral, (other) => other.ts === ephemeral.ts),
    ephemeralDeleted: ({ ephemeral }) => {
      data.ephemerals = data.ephemerals.filter((other) => other.ts !== ephemeral.ts)
    },
    complaint: ({ complaint, gone }) => {
      const isSame = (other) =>
        ['user', 'channel', 'ts', 'view', 'actionId'].every((name) => other[name] === complaint[name])
      data.complaints = data.complaints.filter((other) => !isSame(other))
      if (!gone) data.complaints.push(complaint)
    },
    modals: ({ user: id, views }) => {
      data.modals[id] = views
    },
    home: ({ user: id, view }) => {
      data.homes[id] = view
    },
    channel: ({ channel: entry }) => {
      upsert(data.channels, entry, byId(entry))
      people += 1
      settle()
    },
    user: ({ user: entry }) => {
      upsert(data.users, entry, byId(entry))
      people += 1
      settle()
    },
    userGroup: ({ userGroup }) => {
      upsert(data.userGroups, userGroup, byId(userGroup))
      people += 1
    },
    sockets: ({ open }) => {
      data.connection = { ...data.connection, sockets: open }
    },
  }

  return {
    subscribe: (listener) => listeners.add(listener),
    reset: (state) => {
      data = state
      people += 1
      settle()
      changed()
    },
    apply: (change) => {
      if (!data) return
      reduce[change.kind]?.(change)
      changed()
    },
    setConnected: (up) => {
      connected = up
      changed()
    },
    /** @param {Partial<typeof look>} next */
    lookAt: (next) => {
      Object.assign(look, next)
      settle()
      remember('me', look.me)
      remember('channel', look.channel)
      changed()
    },
    /** Everything up to now in this channel was seen by who looks. */
    markSeen: () => {
      const last = data.messages[look.channel]?.at(-1)?.ts
      if (!last || seen[`${look.me} ${look.channel}`] === last) return
      seen[`${look.me} ${look.channel}`] = last
      try {
        localStorage.setItem('slack-workspace.seen', JSON.stringify(seen))
      } catch {
        // see `remember`
      }
    },
    unread: (id) => {
      const last = seen[`${look.me} ${id}`] ?? ''
      return (data.messages[id] ?? []).filter(
        (entry) => entry.ts > last && entry.user !== look.me && isTopLevel(entry),
      ).length
    },
    get data() {
      return data
    },
    get look() {
      return look
    },
    get connected() {
      return connected
    },
    /** Another number whenever a name that messages show may have changed. */
    get people() {
      return people
    },
    user,
    channel,
    mayAct,
    myChannels,
    appDm,
    /** @param {'global' | 'message'} type */
    shortcuts: (type) => data.shortcuts.filter((entry) => entry.type === type),
    userGroup: (id) => data.userGroups.find((entry) => entry.id === id),
    /**
     * Returns what the controls of a view or message hold, by `block_id action_id`. An edit keeps it where both stay
     * the same, as Slack documents for views.
     * @returns {Map<string, unknown>}
     */
    held: (where) => {
      const key = `${look.me} ${where}`
      if (!held.has(key)) held.set(key, new Map())
      return held.get(key)
    },
    modals: () => data.modals[look.me] ?? [],
    home: () => data.homes[look.me],
    complaintsOn: (where) =>
      data.complaints.filter((entry) => entry.user === look.me && (entry.ts ?? entry.view) === where),
    /** Lists what this user sees in a channel, private words included, oldest first. */
    timeline: (id, thread = '') => {
      const inPlace = (entry) =>
        thread ? entry.ts === thread || entry.thread_ts === thread : isTopLevel(entry)
      const said = (data.messages[id] ?? []).filter(inPlace).map((message) => ({ message, whisper: false }))
      const whispered = data.ephemerals
        .filter((entry) => entry.channel === id && entry.to === look.me && (entry.thread_ts ?? '') === thread)
        .map((entry) => ({ message: { ...entry, user: entry.from }, source: entry, whisper: true }))
      return [...said, ...whispered].sort((a, b) => (a.message.ts < b.message.ts ? -1 : 1))
    },
  }
}

const isTopLevel = (message) =>
  !message.thread_ts || message.thread_ts === message.ts || message.subtype === 'thread_broadcast'
