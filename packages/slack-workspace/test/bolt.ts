import { createServer } from 'node:net'
import { App, HTTPReceiver, type Logger, LogLevel } from '@slack/bolt'
import type { Workspace } from '../src/index.ts'

const quiet: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  setLevel: () => {},
  getLevel: () => LogLevel.ERROR,
  setName: () => {},
}

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })

export type RunningApp = { readonly app: App; readonly stop: () => Promise<void> }
export type Mode = 'socket' | 'http'

/** The real Bolt, connected to the workspace by either of its two ways. `set` adds the listeners. */
export const startBolt = async (
  workspace: Workspace,
  mode: Mode,
  set: (app: App) => void = () => {},
): Promise<RunningApp> => {
  const clientOptions = () => ({ slackApiUrl: workspace.env.SLACK_API_URL, retryConfig: { retries: 0 } })
  if (mode === 'socket') {
    const app = new App({
      token: workspace.tokens.bot,
      appToken: workspace.tokens.app,
      socketMode: true,
      logger: quiet,
      clientOptions: clientOptions(),
    })
    set(app)
    await app.start()
    return { app, stop: async () => void (await app.stop()) }
  }
  const port = await freePort()
  const receiver = new HTTPReceiver({
    signingSecret: workspace.signingSecret,
    logger: quiet,
    endpoints: '/slack/events',
  })
  const app = new App({
    token: workspace.tokens.bot,
    receiver,
    logger: quiet,
    clientOptions: clientOptions(),
  })
  set(app)
  await app.start({ port, host: '127.0.0.1' })
  workspace.setRequestUrl(`http://127.0.0.1:${port}/slack/events`)
  return { app, stop: async () => void (await app.stop()) }
}
