import {
  asksForCodes,
  type Config,
  ConfigError,
  type Env,
  requireSlack,
  type SlackSettings,
} from '../config/config.ts'
import { groupsIn } from '../domain/approvals/access.ts'
import { receiversIn } from '../domain/incidents/webhook.ts'
import { platformName } from '../domain/session/platform.ts'
import { versionWords } from '../domain/session/versions.ts'
import { createLog, createSlackLogger } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import { ClusterError, createCluster } from '../postgres/cluster.ts'
import { clientOptions, createSlack, type Slack } from '../slack/client.ts'
import { checkBouncer } from './doctorBouncer.ts'
import { type Check, fine } from './doctorCheck.ts'
import { checkCodes } from './doctorCodes.ts'
import { checkHistory } from './doctorHistory.ts'
import { checkHost } from './doctorHost.ts'
import { readMemory } from './doctorMemory.ts'
import { checkPassFile, checkPasswordFile } from './doctorPasswords.ts'
import { checkRefusedBlocks } from './doctorRefusedBlocks.ts'
import { checkStore } from './doctorStore.ts'
import { checkUrl } from './doctorUrl.ts'
import { checkWebhooks } from './doctorWebhooks.ts'

/** The scopes that manifest.yml asks for, and what each is for. */
const scopes: Readonly<Record<string, string>> = {
  commands: 'to be called with /pg and by shortcuts',
  'app_mentions:read': 'to answer a mention',
  'chat:write': 'to post cards and answers',
  'users:read': 'to see who presses a button',
  'usergroups:read': 'to see who is in a user group',
}

type DoctorInput = {
  readonly config: Config
  readonly env: Env
  readonly out: { write(text: string): unknown }
  readonly now: () => number
}

/**
 * Looks at everything that the service needs and prints what is missing, with the scope to add or the GRANT to run.
 * @returns 0 when nothing is, 1 when something is
 */
export async function doctor({ config, env, out, now }: DoctorInput): Promise<0 | 1> {
  const store = await checkStore(config, env)
  const memory = await readMemory(config.store)
  const isStoreFine = store.every(({ fix, needed = true }) => !fix || !needed)
  const parts: [string, Check[]][] = [
    [
      'Slack',
      [...(await checkSlack(config, env, now)), ...(isStoreFine ? checkRefusedBlocks(memory, now()) : [])],
    ],
    ['Store', [...store, ...(isStoreFine ? checkHistory(memory, config.history, now()) : [])]],
  ]
  if (asksForCodes(config)) parts.push(['Codes', await checkCodes(config, memory)])
  for (const cluster of config.clusters)
    parts.push([
      `Cluster ${cluster.name}`,
      [
        ...(await checkCluster(cluster, now)),
        ...checkUrl(cluster.url, env),
        ...checkPasswordFile(cluster),
        ...(await checkBouncer(cluster, env)),
        ...(await checkHost(cluster)),
      ],
    ])
  const receivers = [...receiversIn(config.clusters).values()]
  if (receivers.length > 0) parts.push(['Webhooks', await checkWebhooks(receivers)])
  const passFile = checkPassFile(env)
  if (passFile.length > 0) parts.push(['Passwords', passFile])
  for (const [name, checks] of parts) {
    out.write(`${name}\n`)
    for (const { what, fix, needed = true } of checks)
      out.write(
        fix
          ? `  ${needed ? '✗' : '!'} ${what}\n      ${fix.replaceAll('\n', '\n      ')}\n`
          : `  ✓ ${what}\n`,
      )
  }
  const toMend = parts.flatMap(([, checks]) => checks).filter(({ fix }) => fix)
  const missing = toMend.filter(({ needed = true }) => needed).length
  const advice = toMend.length - missing > 0 ? ` Advice (!): ${toMend.length - missing}.` : ''
  out.write(missing === 0 ? `\nNothing is missing.${advice}\n` : `\nMissing: ${missing}.${advice}\n`)
  return missing === 0 ? 0 : 1
}

async function checkSlack(config: Config, env: Env, now: () => number): Promise<Check[]> {
  let settings: SlackSettings
  try {
    settings = requireSlack(config, env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((problem) => {
      const [name, ...rest] = problem.split(': ')
      return { what: `${name} is not usable`, fix: rest.join(': ') }
    })
  }
  const logger = createSlackLogger(createLog({ level: 'silent' }))
  const options = () => clientOptions({ apiUrl: settings.apiUrl, logger, now })
  const bot = createSlack({ token: settings.botToken, options: options() })
  const checks = [await checkToken(bot)]
  if (checks[0]?.fix === null)
    checks.push(
      ...(await checkScopes(bot)),
      ...(await checkChannels(bot, config)),
      ...(await checkGroups(bot, config)),
    )
  if (settings.mode === 'socket') {
    const app = createSlack({ token: settings.appToken, options: options() })
    checks.push(
      await attempt(
        () => app.call((client) => client.apps.connections.open({})),
        'the app-level token opens a socket',
        'the app-level token opens no socket',
        'SLACK_APP_TOKEN: make one under "Basic Information", "App-Level Tokens", with the scope connections:write, and turn socket mode on.',
      ),
    )
  }
  return checks
}

const checkToken = (slack: Slack): Promise<Check> =>
  attempt(
    () => slack.call((client) => client.auth.test()),
    'the bot token is valid',
    'the bot token is not valid',
    'SLACK_BOT_TOKEN: install the app to the workspace and take the token under "OAuth & Permissions".',
  )

async function checkScopes(slack: Slack): Promise<Check[]> {
  const { response_metadata: metadata } = await slack.call((client) => client.auth.test())
  if (!metadata?.scopes) return []
  const granted = new Set(metadata.scopes)
  return Object.entries(scopes).map(([scope, purpose]) =>
    granted.has(scope)
      ? fine(`scope ${scope}`)
      : {
          what: `scope ${scope} is missing (${purpose})`,
          fix: `Add ${scope} under "OAuth & Permissions", "Bot Token Scopes", and install the app again.`,
        },
  )
}

async function checkChannels(slack: Slack, config: Config): Promise<Check[]> {
  const channels = [...new Set([config.slack.channel, ...config.clusters.map(({ channel }) => channel)])]
  return Promise.all(
    channels.map(async (channel): Promise<Check> => {
      try {
        const { channel: info } = await slack.call((client) => client.conversations.info({ channel }))
        if (info?.is_archived)
          return { what: `channel ${channel} is archived`, fix: 'Unarchive it, or configure another.' }
        return info?.is_member === false
          ? { what: `the bot is not in channel ${channel}`, fix: 'Type /invite @pg-marshal there.' }
          : fine(`the bot is in channel ${channel}`)
      } catch (error) {
        if (!(error instanceof SlackError)) throw error
        // Reading about channels is not needed for the work, so the manifest does not ask for it.
        return error.code === 'missing_scope'
          ? {
              what: `channel ${channel} was not looked at (that would take the scope channels:read)`,
              fix: 'Type /invite @pg-marshal there, unless the bot is in it already.',
              needed: false,
            }
          : {
              what: `channel ${channel}: ${error.code}`,
              fix: 'Check its id, and type /invite @pg-marshal there.',
            }
      }
    }),
  )
}

function checkGroups(slack: Slack, config: Config): Promise<Check[]> {
  const lists = config.clusters.flatMap(({ access }) => [access.viewers, access.requesters, access.approvers])
  const groups = [...new Set(lists.flatMap(groupsIn))]
  return Promise.all(
    groups.map((group) =>
      attempt(
        () => slack.call((client) => client.usergroups.users.list({ usergroup: group })),
        `Slack shows who is in the group ${group}`,
        `Slack does not show who is in the group ${group}, so it lets nobody in`,
        'Correct its id in the configuration (access), or turn the group on in Slack.',
      ),
    ),
  )
}

async function attempt(run: () => Promise<unknown>, what: string, lack: string, fix: string): Promise<Check> {
  try {
    await run()
    return fine(what)
  } catch (error) {
    if (!(error instanceof SlackError)) throw error
    return error.code === 'unreachable'
      ? { what: `not known whether ${what}`, fix: 'Slack cannot be reached: check the network.' }
      : { what: `${lack} (${error.code})`, fix }
  }
}

async function checkCluster(config: Config['clusters'][number], now: () => number): Promise<Check[]> {
  const log = createLog({ level: 'silent' })
  const cluster = createCluster({ ...config, log, maskText: () => null, now })
  try {
    await cluster.start()
    const failure = cluster.failure()
    if (failure) return [{ what: 'cannot be reached', fix: failure.reason }]
    const { server } = await cluster.snapshot()
    const missing = await cluster.missingPrivileges()
    const provider = platformName(server.platform)
    const statementStats = await cluster.statementStats.read()
    return [
      fine(
        `answers: PostgreSQL ${versionWords(server.versionNum)}${provider ? ` on ${provider}` : ''}${server.inRecovery ? ', a standby' : ''}`,
      ),
      ...(missing.length === 0 ? [fine('the role has what it needs')] : missing),
      statementStats.kind === 'missing'
        ? statementStats.missing
        : fine('pg_stat_statements is there for /pg top'),
    ]
  } catch (error) {
    if (error instanceof ClusterError) return [{ what: 'cannot be read', fix: error.reason }]
    throw error
  } finally {
    await cluster.close()
  }
}
