import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { kinds } from '../src/commands/command.ts'
import { shortcuts } from '../src/slack/shortcuts.ts'

const text = readFileSync(new URL('../manifest.yml', import.meta.url), 'utf8')
const manifest = parse(text)

describe('manifest.yml', () => {
  it('asks for the scopes that are used, and no more', () => {
    expect(manifest.oauth_config.scopes).toEqual({
      bot: ['commands', 'app_mentions:read', 'chat:write', 'users:read', 'usergroups:read'],
    })
    expect(manifest.settings.event_subscriptions).toEqual({
      bot_events: ['app_home_opened', 'app_mention'],
    })
    expect(
      manifest.features.shortcuts.map(({ callback_id }: { callback_id: string }) => callback_id),
    ).toEqual(Object.values(shortcuts))
    expect(manifest.features.app_home).toEqual({ home_tab_enabled: true })
  })

  it('is for socket mode, with buttons and /pg', () => {
    expect(manifest.settings).toMatchObject({
      socket_mode_enabled: true,
      interactivity: { is_enabled: true },
    })
    const [command, ...others] = manifest.features.slash_commands
    expect(others).toEqual([])
    expect(command).toMatchObject({ command: '/pg', should_escape: false })
    for (const word of [...kinds, 'locks [PID or RELATION]', 'session PID', 'cancel PID', 'terminate PID'])
      expect(command.usage_hint).toContain(word)
  })

  it("keeps Slack's limits (slackapi/manifest-schema)", () => {
    expect(manifest.display_information.name.length).toBeLessThanOrEqual(35)
    expect(manifest.display_information.description.length).toBeLessThanOrEqual(140)
    for (const { name, description } of manifest.features.shortcuts) {
      expect(name.length).toBeLessThanOrEqual(24)
      expect(description.length).toBeLessThanOrEqual(150)
    }
    expect(manifest.features.slash_commands[0].usage_hint.length).toBeLessThanOrEqual(1000)
  })
})
