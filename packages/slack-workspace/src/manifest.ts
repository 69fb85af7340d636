import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'

/** The part of an app manifest that a workspace goes by: https://docs.slack.dev/reference/app-manifest */
const shape = z.object({
  features: z
    .object({
      slash_commands: z
        .array(
          z.object({
            command: z.string(),
            description: z.string().optional(),
            usage_hint: z.string().optional(),
          }),
        )
        .optional(),
    })
    .optional(),
  oauth_config: z.object({ scopes: z.object({ bot: z.array(z.string()).optional() }).optional() }).optional(),
  settings: z
    .object({ event_subscriptions: z.object({ bot_events: z.array(z.string()).optional() }).optional() })
    .optional(),
})

export type Manifest = {
  readonly commands: readonly {
    readonly command: string
    readonly description: string
    readonly usageHint: string
  }[]
  readonly scopes: readonly string[]
  readonly events: readonly string[]
}

const ownManifest: URL = new URL('../../../manifest.yml', import.meta.url)

/** `undefined` when there is no such file. Throws when it is not a manifest. */
export const readManifest = async (file: URL | string = ownManifest): Promise<Manifest | undefined> => {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const manifest = shape.parse(parse(text))
  return {
    commands: (manifest.features?.slash_commands ?? []).map((entry) => ({
      command: entry.command,
      description: entry.description ?? '',
      usageHint: entry.usage_hint ?? '',
    })),
    scopes: manifest.oauth_config?.scopes?.bot ?? [],
    events: manifest.settings?.event_subscriptions?.bot_events ?? [],
  }
}
