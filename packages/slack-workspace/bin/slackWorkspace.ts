#!/usr/bin/env node
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { createWorkspace, readManifest, type Workspace } from '../src/index.ts'

const help = `A local Slack workspace for a Bolt app, with a page to look at.

  slack-workspace [options] [-- COMMAND …]

  --manifest FILE      the app's manifest, YAML or JSON: its commands, scopes and events
  --port PORT          of the page and the Web API on 127.0.0.1; a free one if absent
  --request-url URL    where the app takes signed HTTP; socket mode if absent
  --help               this

COMMAND is the app. It is started with SLACK_API_URL, SLACK_BOT_TOKEN, SLACK_APP_TOKEN and SLACK_SIGNING_SECRET, and the
workspace ends with it. Without COMMAND the four are printed, and Ctrl-C ends the workspace.
`

/** Throws for options that there are not. */
function read(args: readonly string[]) {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  const { values } = parseArgs({
    args: args.slice(0, end),
    options: {
      help: { type: 'boolean', short: 'h' },
      manifest: { type: 'string' },
      port: { type: 'string', default: '0' },
      'request-url': { type: 'string' },
    },
  })
  if (!/^\d+$/.test(values.port) || Number(values.port) > 65_535)
    throw new Error(`--port takes a number up to 65535, not ${values.port}`)
  return { ...values, command: args.slice(end + 1) }
}

/** Resolves with the exit code of the app. A signal for us is passed on; the app's end is ours. */
function runApp(workspace: Workspace, [program = '', ...args]: readonly string[]): Promise<number> {
  const app = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...workspace.env } })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => app.kill(signal))
  return new Promise((resolve, reject) => {
    app.once('error', reject)
    app.once('exit', (code) => resolve(code ?? 1))
  })
}

/** Resolves on Ctrl-C and the like. */
const untilStopped = () =>
  new Promise<number>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(0))
  })

async function main(): Promise<number> {
  const { help: isHelp, manifest, port, 'request-url': requestUrl, command } = read(process.argv.slice(2))
  if (isHelp) {
    console.log(help)
    return 0
  }
  const workspace = await createWorkspace({
    port: Number(port),
    ...(manifest ? { manifest: await readManifest(manifest) } : {}),
    ...(requestUrl ? { requestUrl } : {}),
  })
  try {
    console.log(`Open ${workspace.url}`)
    if (command.length > 0) return await runApp(workspace, command)
    for (const [name, value] of Object.entries(workspace.env)) console.log(`${name}=${value}`)
    return await untilStopped()
  } finally {
    await workspace.close()
  }
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 2
  },
)
