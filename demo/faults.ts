import type { Fault, Workspace } from 'slack-workspace'
import type { TemporaryPostgres } from 'temporary-postgres'

/** Faults around the bot. A switch stays as it is put; a push happens once. */
export type FaultState = {
  readonly id: string
  readonly where: 'Slack' | 'PostgreSQL'
  readonly kind: 'switch' | 'push'
  readonly title: string
  readonly note: string
  readonly isOn: boolean
}

export type PracticeFaults = {
  states(): readonly FaultState[]
  /** Puts a switch, or pushes once. One after the other. */
  set(id: string, on: boolean): Promise<void>
  /** Everything works again: so that the room can be left quickly. */
  clear(): void
}

type Entry = Omit<FaultState, 'isOn'> & { readonly put: (on: boolean) => void | Promise<void> }

export function createPracticeFaults(options: {
  readonly workspace: Workspace
  readonly postgres: Pick<TemporaryPostgres, 'suspend' | 'resume' | 'halt' | 'restart'>
  readonly changed: () => void
}): PracticeFaults {
  const { workspace, postgres, changed } = options
  const on = new Set<string>()
  const always = Number.POSITIVE_INFINITY
  const held = (id: string, fault: Fault) => (isOn: boolean) => workspace.holdFault(id, isOn ? fault : null)

  const entries: readonly Entry[] = [
    {
      id: 'slack-rate-limit',
      where: 'Slack',
      kind: 'switch',
      title: 'Rate limit',
      note: 'Every call gets 429, “try again in 5 seconds”.',
      put: held('slack-rate-limit', { kind: 'rateLimited', retryAfter: 5, times: always }),
    },
    {
      id: 'slack-down',
      where: 'Slack',
      kind: 'switch',
      title: 'Down',
      note: 'Every call gets 500, and no socket stays open.',
      put: (isOn) => {
        held('slack-down', { kind: 'error500', times: always })(isOn)
        if (isOn) workspace.disconnectSockets()
      },
    },
    {
      id: 'slack-hang',
      where: 'Slack',
      kind: 'switch',
      title: 'No answer',
      note: 'Every call is taken, and none is answered.',
      put: held('slack-hang', { kind: 'hang', times: always }),
    },
    {
      id: 'slack-slow',
      where: 'Slack',
      kind: 'switch',
      title: 'Slow',
      note: 'Every answer takes two seconds.',
      put: held('slack-slow', { kind: 'slow', ms: 2_000, times: always }),
    },
    {
      id: 'slack-one-a-second',
      where: 'Slack',
      kind: 'switch',
      title: 'One message a second',
      note: 'The real limit of a channel is enforced.',
      put: (isOn) => workspace.setPacing(isOn),
    },
    {
      id: 'slack-drop',
      where: 'Slack',
      kind: 'push',
      title: 'Drop the socket',
      note: 'The bot has to connect again.',
      put: () => workspace.disconnectSockets(),
    },
    {
      id: 'slack-twice',
      where: 'Slack',
      kind: 'push',
      title: 'Deliver twice',
      note: 'The next command or press reaches the bot twice.',
      put: () => workspace.duplicateNext(),
    },
    {
      id: 'slack-lost',
      where: 'Slack',
      kind: 'push',
      title: 'Lose a reply',
      note: 'The next message is posted, but the bot never hears of it.',
      put: () => workspace.fault({ kind: 'replyLost', method: 'chat.postMessage' }),
    },
    {
      id: 'pg-hang',
      where: 'PostgreSQL',
      kind: 'switch',
      title: 'Hang',
      note: 'Every process of the server stands still (SIGSTOP).',
      put: async (isOn) => {
        if (!isOn) return postgres.resume()
        await bringBack()
        postgres.suspend()
      },
    },
    {
      id: 'pg-refuse',
      where: 'PostgreSQL',
      kind: 'switch',
      title: 'Refuse connections',
      note: 'The server is down: nobody listens on its port.',
      put: async (isOn) => {
        on.delete('pg-hang')
        await (isOn ? postgres.halt() : postgres.restart())
      },
    },
    {
      id: 'pg-restart',
      where: 'PostgreSQL',
      kind: 'push',
      title: 'Restart',
      note: 'Every session ends, and the server comes back.',
      put: async () => {
        on.delete('pg-hang')
        on.delete('pg-refuse')
        await postgres.restart()
      },
    },
  ]

  /** A server that is down cannot hang. */
  const bringBack = async () => {
    if (on.delete('pg-refuse')) await postgres.restart()
  }
  let tail: Promise<unknown> = Promise.resolve()
  let cleared = false

  return {
    states: () => entries.map(({ put: _put, ...entry }) => ({ ...entry, isOn: on.has(entry.id) })),
    set: (id, isOn) => {
      const entry = entries.find((one) => one.id === id)
      if (!entry) return Promise.reject(new Error(`there is no fault called ${id}`))
      const work = tail.then(async () => {
        if (cleared || (entry.kind === 'switch' && on.has(id) === isOn)) return
        if (entry.kind === 'switch' && isOn) on.add(id)
        try {
          await entry.put(isOn)
          if (!isOn) on.delete(id)
        } catch (error) {
          on.delete(id)
          throw error
        } finally {
          changed()
        }
      })
      tail = work.catch(() => {})
      return work
    },
    clear: () => {
      cleared = true
      on.clear()
      workspace.clearFaults()
      workspace.setPacing(false)
      postgres.resume()
    },
  }
}
