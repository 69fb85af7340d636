import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'

/** The part of an app manifest that a workspace goes by: https://docs.slack.dev/reference/app-manifest */
const shape = z.object({
  features: z
    .object({
      app_home: z.object({ home_tab_enabled: z.boolean().optional() }).optional(),
      shortcuts: z
        .array(
          z.object({
            name: z.string(),
            type: z.enum(['global', 'message']),
            callback_id: z.string(),
            description: z.string().optional(),
          }),
        )
        .optional(),
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

export type Shortcut = {
  readonly name: string
  readonly type: 'global' | 'message'
  readonly callbackId: string
}

export type Manifest = {
  readonly commands: readonly {
    readonly command: string
    readonly description: string
    readonly usageHint: string
  }[]
  readonly scopes: readonly string[]
  readonly events: readonly string[]
  /** Shortcuts, by which people call the app from anywhere, or from a message. */
  readonly shortcuts: readonly Shortcut[]
  /** True where the app has a Home tab. */
  readonly hasHome: boolean
}

/** Throws when there is no such file, and when it is not a manifest. */
export const readManifest = async (file: URL | string): Promise<Manifest> => {
  const manifest = shape.parse(parse(await readFile(file, 'utf8')))
  return {
    commands: (manifest.features?.slash_commands ?? []).map((entry) => ({
      command: entry.command,
      description: entry.description ?? '',
      usageHint: entry.usage_hint ?? '',
    })),
    scopes: manifest.oauth_config?.scopes?.bot ?? [],
    events: manifest.settings?.event_subscriptions?.bot_events ?? [],
    shortcuts: (manifest.features?.shortcuts ?? []).map(({ name, type, callback_id }) => ({
      name,
      type,
      callbackId: callback_id,
    })),
    hasHome: manifest.features?.app_home?.home_tab_enabled ?? false,
  }
}
