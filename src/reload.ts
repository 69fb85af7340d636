import { randomUUID } from 'node:crypto'
import { type ConfigChanges, changesNothing } from './config/changes.ts'
import { asksForCodes, type Config, ConfigError, requireSecret } from './config/config.ts'
import { bot, type JournalEvent } from './domain/approvals/journal.ts'
import type { Log } from './log.ts'
import type { Cards } from './notify/cards.ts'
import { configurationView } from './views/configuration.ts'

/** Reading of the configuration while the bot runs. */
export type Reload = {
  /** Reads all of it again. What is asked for while one reading is under way is done once more after it. Never throws. */
  run(load: () => Config): Promise<void>
  /** Resolves when nothing of it is under way; nothing is read after. */
  stop(): Promise<void>
}

/** A configuration that is wrong changes nothing, and everybody hears what is wrong with it, all at once. */
export function createReload(deps: {
  /** Puts it in the place of the one that holds. */
  readonly apply: (config: Config) => Promise<ConfigChanges>
  readonly cards: Pick<Cards, 'commit'>
  /** Returns the general channel. */
  readonly channel: () => string
  /** Returns the name of this replica; null where there is one alone. */
  readonly replica: () => string | null
  readonly log: Log
  readonly now: () => number
}): Reload {
  const { apply, cards, channel, replica, log, now } = deps
  let wanted: (() => Config) | null = null
  let running: Promise<void> | null = null
  let stopped = false

  return {
    run(load) {
      wanted = load
      running ??= runAll().finally(() => {
        running = null
      })
      return running
    },
    async stop() {
      stopped = true
      await running
    },
  }

  async function runAll() {
    for (let load = wanted; load !== null && !stopped; load = wanted) {
      wanted = null
      await readOnce(load).catch((error: unknown) =>
        log.error({ err: error }, 'reading the configuration again ended in a fault'),
      )
    }
  }

  async function readOnce(load: () => Config) {
    const from = { actor: bot, replica: replica() }
    let config: Config
    try {
      config = load()
      if (asksForCodes(config)) requireSecret(config)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      const problems = error.problems.length > 0 ? error.problems : [error.message]
      log.error({ problems }, 'the configuration cannot be used, so the old one stays')
      return report({ kind: 'misconfigured', ...from, problems })
    }
    const changes = await apply(config)
    log.info(changes, 'the configuration was read again')
    if (!changesNothing(changes)) await report({ kind: 'configured', ...from, ...changes })
  }

  async function report(event: JournalEvent & { readonly kind: 'configured' | 'misconfigured' }) {
    await cards.commit(null, async (tx) => {
      await tx.record(event)
      const about = {
        id: `${event.kind}:${randomUUID()}`,
        channel: channel(),
        threadOf: null,
        priority: 2,
        once: true,
      }
      await tx.messages.put({ ...about, ...configurationView(event) }, now())
    })
  }
}
