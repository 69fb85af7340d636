import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createWorkspace,
  type Message,
  readManifest,
  type Workspace,
  type WorkspaceOptions,
} from 'slack-workspace'
import { type RunningApp, startApp } from '../../src/app.ts'
import { parseConfig, requireSlack } from '../../src/config/config.ts'
import { createLog } from '../../src/log.ts'

/** Everything that people do and see in the channel of the cards. */
export type Conversation = {
  /** Types a command and waits for the ack. */
  type(userId: string, text: string, channelId?: string): Promise<void>
  /** The newest card with this button, once there is one. */
  card(actionId: string, about?: string): Promise<Message>
  /** Presses a button on a message and waits for the ack. */
  press(userId: string, message: Message, actionId: string): ReturnType<Workspace['press']>
  /** Resolves with the message as soon as its text matches. */
  until(ts: string, text: RegExp, timeoutMs?: number): Promise<Message>
  /** The thread under a message, once a line of it matches. */
  thread(ts: string, line: RegExp): Promise<readonly Message[]>
  /** A line of the channel, once it matches. */
  line(text: RegExp): Promise<Message>
  /** Waits for a message that only this user sees. */
  whisper(userId: string, text: RegExp): Promise<string>
}

/** The bot in a workspace of its own, watching one server. */
export type Room = Conversation & {
  readonly workspace: Workspace
  readonly directory: string
  /** The environment and the configuration that the bot runs with; for starting it again, or as a process. */
  readonly env: Record<string, string>
  readonly yaml: string
  /**
   * Starts the bot; a room begins without it.
   * @param changed parts of the configuration that are others now, by their first key
   */
  start(changed?: Record<string, unknown>): Promise<RunningApp>
  close(): Promise<void>
}

export const channel = 'C0INCIDENTS'

/**
 * @param databaseUrl of the server that is watched
 * @param over YAML that replaces parts of the configuration, by their first key
 */
export async function openRoom(
  databaseUrl: string,
  {
    mode = 'socket',
    over = {},
    workspace: options = {},
  }: { mode?: 'socket' | 'http'; over?: Record<string, unknown>; workspace?: WorkspaceOptions } = {},
): Promise<Room> {
  const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-room-'))
  const workspace = await createWorkspace({
    manifest: await readManifest(new URL('../../manifest.yml', import.meta.url)),
    ...options,
  })
  const env = { ...workspace.env, DATABASE_URL: databaseUrl, LOG_LEVEL: 'silent' }
  const settings = {
    slack: { mode, channel },
    http: { port: 0 },
    access: { viewers: 'everyone', requesters: 'everyone', approvers: ['U0DANA', 'S0DBAONCALL'] },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
    clusters: [{ name: 'orders', url: '${DATABASE_URL}' }],
    watch: { every: '200ms', blockedFor: '1s', idleInTransactionLongerThan: '1h' },
    store: { url: `sqlite:${join(directory, 'store.db')}` },
    ...over,
  }
  const yaml = JSON.stringify(settings)
  const running: RunningApp[] = []

  return {
    workspace,
    directory,
    env,
    yaml,
    async start(changed = {}) {
      const config = parseConfig(JSON.stringify({ ...settings, ...changed }), env)
      const app = await startApp({
        config,
        slack: requireSlack(config, env),
        log: createLog({ level: 'silent' }),
        // The emulator does not mind, and nobody has to read along.
        gaps: { postMs: 0, sameMs: 0, editMs: 0 },
      })
      running.push(app)
      if (mode === 'http') workspace.setRequestUrl(`http://127.0.0.1:${app.port}/slack/events`)
      return app
    },
    ...converse(workspace),
    async close() {
      await Promise.all(running.map((app) => app.stop()))
      await workspace.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Returns the hands and eyes of people in a workspace. */
export function converse(workspace: Workspace): Conversation {
  const messages = () => workspace.messages(channel)
  return {
    async type(userId, text, channelId = channel) {
      const { complaint } = await workspace.slashCommand({ userId, channelId, text })
      if (complaint) throw new Error(`Slack complains: ${complaint}`)
    },
    card: (actionId, about = '') =>
      workspace.waitFor(
        () => messages().findLast((message) => hasButton(message, actionId) && message.text.includes(about)),
        { what: `a card with ${actionId}` },
      ),
    press: (userId, message, actionId) =>
      workspace.press({ userId, channelId: channel, messageTs: message.ts, actionId }),
    until: (ts, text, timeoutMs) =>
      workspace.waitFor(
        () => messages().find((message) => message.ts === ts && text.test(wordsOf(message))),
        { what: `${text} on ${ts}`, ...(timeoutMs !== undefined && { timeoutMs }) },
      ),
    thread: (ts, line) =>
      workspace.waitFor(
        () => {
          const replies = messages().filter((message) => message.thread_ts === ts && message.ts !== ts)
          return replies.some(({ text }) => line.test(text)) && replies
        },
        { what: `${line} in the thread of ${ts}` },
      ),
    line: (text) =>
      workspace.waitFor(() => messages().find((message) => !message.thread_ts && text.test(message.text)), {
        what: `the line ${text}`,
      }),
    whisper: async (userId, text) =>
      (
        await workspace.waitFor(() => workspace.ephemerals(userId).find((entry) => text.test(entry.text)), {
          what: `${text} for ${userId}`,
        })
      ).text,
  }
}

/** Returns true when a message has a button with this id. */
export const hasButton = (message: Message, actionId: string): boolean =>
  (message.blocks ?? []).some(
    (block) =>
      block.type === 'actions' &&
      (block.elements as { action_id?: string }[]).some((element) => element.action_id === actionId),
  )

/** Everything that a message says: its text and what stands in its blocks. */
export const wordsOf = (message: Message): string =>
  `${message.text}\n${JSON.stringify(message.blocks ?? [])}`
