import { once } from 'node:events'
import { type RunningApp, startApp } from './app.ts'
import { ConfigError, loadConfig, requireSlack } from './config/config.ts'
import { createLog } from './log.ts'
import { SlackError } from './notify/slackError.ts'
import { startPatiently } from './patience.ts'
import { StoreError } from './store/failure.ts'
import { misuseOf } from './terminal/check.ts'
import { type ExitCode, runCommand, usage } from './terminal/commandLine.ts'

/**
 * Runs until SIGTERM or SIGINT, then finishes what is under way. A second signal ends it at once. SIGHUP lets it read its
 * configuration again.
 */
async function serve(): Promise<ExitCode> {
  const load = () => loadConfig({ env: process.env })
  let app: RunningApp | null = null
  let isAskedEarly = false
  process.on('SIGHUP', () => {
    if (app) void app.reload(load)
    else isAskedEarly = true
  })
  const config = load()
  const slack = requireSlack(config, process.env)
  const log = createLog({ level: config.logLevel })
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort(name))
  const stopped = once(stop.signal, 'abort')
  // Bolt drops some promises: what goes wrong in one must not end the watching.
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a promise was dropped'))
  // The last net, which nothing should reach: the state is not known any more, so it stops in order and says so.
  let failed = false
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error that nobody caught: pg-marshal stops in order, start it again')
    failed = true
    stop.abort('uncaughtException')
  })
  try {
    app = await startPatiently(() => startApp({ config, slack, log, signal: stop.signal }), {
      log,
      signal: stop.signal,
      steady: () => performance.now(),
    })
    if (isAskedEarly) void app.reload(load)
    await stopped
    log.info({ signal: stop.signal.reason }, 'pg-marshal stops')
    await app.stop()
    // All that is ours is closed; a handshake that never ends must not keep the process.
    setTimeout(() => process.exit(failed ? 2 : 0), 1000).unref()
  } catch (error) {
    // Asked to stop before it had started: that is no fault.
    if (!stop.signal.aborted) throw error
  }
  return failed ? 2 : 0
}

/**
 * Explains an error in one line when a person can do something about it. Anything else is a fault of ours, with its
 * trace.
 */
function explainError(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  if (error instanceof SlackError)
    return `Slack refused a token (${error.code}). Check SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or run doctor.`
  if (error instanceof StoreError) return error.message
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  if (code.startsWith('ERR_PARSE_ARGS_')) return `${misuseOf(error)}\n\n${usage}`
  if (code === 'EADDRINUSE')
    return 'The port is in use already. Set http.port to another, or stop the other process.'
  if (code === 'EACCES' && 'syscall' in error && error.syscall === 'listen')
    return 'This port needs privileges. Set http.port to 1024 or higher.'
  return error.stack ?? error.message
}

// Who read has gone (`doctor | head -3`): it ends as what SIGPIPE ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(141)
})

try {
  const done = await runCommand(process.argv.slice(2), {
    env: process.env,
    out: process.stdout,
    err: process.stderr,
    now: Date.now,
    steady: () => performance.now(),
  })
  process.exitCode = done === 'serve' ? await serve() : done
} catch (error) {
  process.stderr.write(`${explainError(error)}\n`)
  process.exitCode = 2
}
