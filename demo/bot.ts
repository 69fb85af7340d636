import { startApp } from '../src/app.ts'
import { type Config, parseConfig, requireSlack } from '../src/config/config.ts'
import { createLog } from '../src/log.ts'

export type WatchedServer = {
  readonly name: string
  /** Connection string of the bot's role. */
  readonly url: string
  /** Channel of its cards; the alerts channel if absent. */
  readonly channel?: string
}

/** pg-marshal itself, as the practice room runs it. */
export type Bot = {
  /** Starts it, or starts it again when it is to watch something else. */
  watch(servers: readonly WatchedServer[]): Promise<void>
  /** Its configuration; null before it watches anything. */
  config(): Config | null
  stop(): Promise<void>
}

/** As in a real set-up, but impatient: what takes minutes there shows up in seconds here. */
const settings = {
  slack: { mode: 'socket', channel: 'C0INCIDENTS' },
  http: { port: 0 },
  access: { viewers: 'everyone', requesters: 'everyone', approvers: ['U0DANA', 'S0DBAONCALL'] },
  watch: {
    every: '1s',
    blockedFor: '3s',
    queryLongerThan: '10s',
    idleInTransactionLongerThan: '8s',
    idleLongerThan: '30m',
  },
}

/** Calls as at night, in a tenth of the time. */
const callsTo = (pager: string) => ({
  mention: ['S0DBAONCALL'],
  from: 'warning',
  remindAfter: '30s',
  escalate: [{ after: '60s', mention: ['U0DANA'] }],
  webhooks: [{ kind: 'pagerduty', url: pager, routingKey: 'practice', from: 'warning' }],
})

/**
 * @param env the workspace's `SLACK_…`
 * @param pager address of the pager
 */
export function createBot(env: Readonly<Record<string, string>>, store: string, pager: string): Bot {
  const log = createLog({ level: process.env.LOG_LEVEL ?? 'silent' })
  let app: { stop(): Promise<void> } | null = null
  let isStopped = false
  let current: Config | null = null

  const stop = async () => {
    const running = app
    app = null
    await running?.stop()
  }

  return {
    watch: async (servers) => {
      const yaml = JSON.stringify({
        ...settings,
        notify: callsTo(pager),
        clusters: servers.map((server) => ({ ...server, host: 'local' })),
        store: { url: `sqlite:${store}` },
      })
      const config = parseConfig(yaml, env)
      current = config
      await stop()
      if (isStopped) return
      app = await startApp({ config, slack: requireSlack(config, env), log })
      if (isStopped) await stop()
    },
    config: () => current,
    stop: () => {
      isStopped = true
      return stop()
    },
  }
}
