/**
 * Provider that runs the server. On a managed one none of us is a superuser: other people grant, settings are made
 * elsewhere, and some sessions are the provider's own. Only words follow from it: the server itself decides what may be
 * done.
 */
export type Platform = 'own' | 'rds' | 'aurora' | 'cloudSql' | 'alloyDb' | 'azure'

type Provider = {
  readonly name: string
  /** Role that may grant pg_monitor and pg_signal_backend. */
  readonly admin: string
  /** Place where settings are made, since there is no ALTER SYSTEM. */
  readonly settings: string
  /** The role by which the platform is known: its customers' administrators are members of it. */
  readonly role: string
  /** The users with which the provider itself works on the server, superusers or not. */
  readonly users: readonly string[]
}

const amazon = {
  admin: 'the master user (a member of rds_superuser)',
  settings: 'the parameter group',
  role: 'rds_superuser',
  users: ['rdsadmin', 'rdsrepladmin', 'rdstopmgr', 'rdsproxyadmin'],
} as const

/**
 * RDS, Aurora: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
 * and for rdsproxyadmin https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html
 * Cloud SQL: https://cloud.google.com/sql/docs/postgres/users and https://cloud.google.com/sql/docs/postgres/flags
 * AlloyDB: https://cloud.google.com/alloydb/docs/database-users/overview
 * and https://cloud.google.com/alloydb/docs/instance-configure-database-flags
 * Azure: https://learn.microsoft.com/en-us/azure/postgresql/security/security-access-control
 */
const providers: Readonly<Record<Exclude<Platform, 'own'>, Provider>> = {
  rds: { name: 'Amazon RDS', ...amazon },
  aurora: { name: 'Amazon Aurora', ...amazon },
  cloudSql: {
    name: 'Cloud SQL',
    admin: 'postgres (a member of cloudsqlsuperuser)',
    settings: 'the database flags',
    role: 'cloudsqlsuperuser',
    users: [
      'cloudsqladmin',
      'cloudsqlagent',
      'cloudsqlconnpooladmin',
      'cloudsqlimportexport',
      'cloudsqllogical',
      'cloudsqlobservability',
      'cloudsqlreplica',
    ],
  },
  alloyDb: {
    name: 'AlloyDB',
    admin: 'postgres (a member of alloydbsuperuser)',
    settings: 'the database flags',
    role: 'alloydbsuperuser',
    users: ['alloydbadmin', 'alloydbagent', 'alloydbexport', 'alloydbimportexport', 'alloydbreplica'],
  },
  azure: {
    name: 'Azure Database for PostgreSQL',
    admin: 'the server administrator (a member of azure_pg_admin)',
    settings: 'the server parameters',
    role: 'azure_pg_admin',
    users: ['azuresu'],
  },
}

const providerOf = (platform: Platform): Provider | null => (platform === 'own' ? null : providers[platform])

/** Roles that show the platform: facts.sql looks which of them are there. */
export const tellingRoles: readonly string[] = Object.values(providers).map(({ role }) => role)

/**
 * @param roles those of `tellingRoles` that the server has
 * @param isAurora whether it has the function aurora_version(), which Aurora adds to what RDS has
 */
export function platformOf(roles: readonly string[], isAurora: boolean): Platform {
  if (roles.includes(providers.rds.role)) return isAurora ? 'aurora' : 'rds'
  const others = ['cloudSql', 'alloyDb', 'azure'] as const
  return others.find((platform) => roles.includes(providers[platform].role)) ?? 'own'
}

/** `Amazon RDS`; null for a server of one's own. */
export const platformName = (platform: Platform): string | null => providerOf(platform)?.name ?? null

/** Names who may grant there what the bot needs. */
export const grantorOn = (platform: Platform): string => providerOf(platform)?.admin ?? 'a superuser'

/** Names the place where settings are made; null when ALTER SYSTEM makes them. */
export const settingsOf = (platform: Platform): string | null => providerOf(platform)?.settings ?? null

/** Says how a setting that needs a restart is made there: SQL, or a text that continues with a comment. */
export const settingOn = (platform: Platform, name: string, value: string | number): string => {
  const provider = providerOf(platform)
  return provider
    ? `, and, where ${provider.name} lets you, ${name} = ${value} in ${provider.settings}; needs a restart`
    : ` ALTER SYSTEM SET ${name} = ${value}; -- needs a restart`
}

/** Says why a session is the provider's business; null when it is not, by its user. */
export function providersOwn(
  session: { readonly usename: string | null; readonly isSuperuser: boolean },
  platform: Platform,
): string | null {
  const provider = providerOf(platform)
  if (!provider) return null
  if (provider.users.includes(session.usename ?? ''))
    return `It belongs to ${session.usename}, with which ${provider.name} itself works on the server: nobody but the provider ends it.`
  return session.isSuperuser
    ? `It belongs to a superuser, and on ${provider.name} these are the provider's own: nobody else can end it.`
    : null
}

/**
 * Names who may run COMMIT PREPARED and ROLLBACK PREPARED: the owner, also by SET ROLE, or a superuser (twophase.c).
 * @param owner empty where the role was dropped meanwhile, which the server lets happen
 */
export const finisherOn = (platform: Platform, owner: string): string =>
  platform === 'own'
    ? `${owner ? `${owner} or ` : ''}a superuser`
    : `${owner || 'a role that was dropped, else by the provider’s support'} (by login or SET ROLE; ${platformName(platform)} makes nobody a superuser)`
