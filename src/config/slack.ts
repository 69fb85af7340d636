import { ConfigError, type Env } from './problem.ts'

/** Settings of Slack from the environment. `apiUrl` ends with a slash; undefined is Slack's own. */
export type SlackSettings = { readonly botToken: string; readonly apiUrl: string | undefined } & (
  | { readonly mode: 'socket'; readonly appToken: string }
  | { readonly mode: 'http'; readonly signingSecret: string }
)

/**
 * Slack's tokens, which only the service needs; the terminal commands do without.
 * @throws ConfigError with everything that is missing
 */
export function requireSlack(
  config: { readonly slack: { readonly mode: 'socket' | 'http' } },
  env: Env,
): SlackSettings {
  const problems: string[] = []
  const need = (name: string, what: string, wrong: RegExp, instead: string): string => {
    const value = env[name]?.trim() ?? ''
    if (value === '') problems.push(`${name}: Missing. Set it to ${what}.`)
    else if (/^["']/.test(value))
      problems.push(`${name}: The value starts with a quote. Set it without quotes.`)
    else if (wrong.test(value)) problems.push(`${name}: This is ${instead}. Set it to ${what}.`)
    return value
  }
  const botToken = need(
    'SLACK_BOT_TOKEN',
    'the bot token (xoxb-…, under "OAuth & Permissions" of your Slack app)',
    /^(xapp-|xoxp-)/,
    'an app-level or a user token',
  )
  const apiUrl = readApiUrl(env.SLACK_API_URL?.trim(), problems)
  const settings: SlackSettings =
    config.slack.mode === 'socket'
      ? {
          mode: 'socket',
          botToken,
          apiUrl,
          appToken: need(
            'SLACK_APP_TOKEN',
            'the app-level token (xapp-…, under "Basic Information", with the scope connections:write)',
            /^xox/,
            'a bot or a user token',
          ),
        }
      : {
          mode: 'http',
          botToken,
          apiUrl,
          signingSecret: need(
            'SLACK_SIGNING_SECRET',
            'the signing secret (under "Basic Information" of your Slack app)',
            /^(xapp-|xox)/,
            'a token',
          ),
        }
  if (problems.length > 0) throw new ConfigError(problems, 'Slack cannot be reached with these settings:')
  return settings
}

function readApiUrl(text: string | undefined, problems: string[]): string | undefined {
  if (!text) return undefined
  const url = URL.canParse(text) ? new URL(text) : null
  if (url && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username && !url.password)
    return url.href.endsWith('/') ? url.href : `${url.href}/`
  problems.push('SLACK_API_URL: Write an http or https address like https://slack.com/api/, or leave it out.')
  return undefined
}
