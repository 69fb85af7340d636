import type { Approvals } from '../domain/session/policy.ts'
import { ConfigError } from './problem.ts'

/** Settings that codes of authenticator apps need. */
type Settings = {
  readonly secret: string | null
  readonly clusters: readonly { readonly approvals: Pick<Approvals, 'secondFactor'> }[]
}

/** Shorter ones can be guessed. */
const shortest = 16

/** Returns true when some approval takes a code. */
export const asksForCodes = ({ clusters }: Pick<Settings, 'clusters'>): boolean =>
  clusters.some(({ approvals: { secondFactor } }) => secondFactor.cancel || secondFactor.terminate)

/** Says what is wrong with PG_MARSHAL_SECRET, in one sentence; null when nothing is. */
export function secretProblem({ secret }: Pick<Settings, 'secret'>): string | null {
  const hint = `set it to a random text of at least ${shortest} characters (openssl rand -base64 32), and keep it: whoever was enrolled with another one must enrol again.`
  if (secret === null) return `PG_MARSHAL_SECRET is not set, and codes of authenticator apps need it: ${hint}`
  return secret.length < shortest ? `PG_MARSHAL_SECRET is too short: ${hint}` : null
}

/**
 * The key that encrypts the secrets of authenticator apps.
 * @throws ConfigError when there is none
 */
export function requireSecret(settings: Pick<Settings, 'secret'>): string {
  const problem = secretProblem(settings)
  if (problem !== null || settings.secret === null) throw new ConfigError([], problem ?? '')
  return settings.secret
}
