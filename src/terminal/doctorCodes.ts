import { createAuthenticator } from '../actions/authenticator.ts'
import { asksForCodes, type Config, secretProblem } from '../config/config.ts'
import { type Check, fine } from './doctorCheck.ts'
import type { Memory } from './doctorMemory.ts'

/** Looks whether those whom the configuration names can give a code. Members of groups are not looked up. */
export async function checkCodes(config: Config, memory: Memory): Promise<Check[]> {
  const problem = secretProblem(config)
  if (problem !== null || config.secret === null)
    return [{ what: 'PG_MARSHAL_SECRET is not usable', fix: problem ?? '' }]
  if ('failure' in memory) return [{ what: 'not known who is enrolled for codes', fix: memory.failure }]
  const { enrolments } = memory
  const authenticator = createAuthenticator(config.secret)
  const checks: Check[] = []
  for (const { userId, sealed } of enrolments)
    checks.push(
      (await authenticator.open(userId, sealed))
        ? fine(`${userId} is enrolled`)
        : {
            what: `${userId} was enrolled with another PG_MARSHAL_SECRET and must enrol again`,
            fix: `node src/main.ts enroll --remove ${userId}, then node src/main.ts enroll ${userId}`,
          },
    )
  const asked = config.clusters.filter((cluster) => asksForCodes({ clusters: [cluster] }))
  const named = asked.flatMap(({ access, approvals }) => [...access.approvers, ...approvals.breakGlass])
  for (const userId of new Set(named.filter((id) => !id.startsWith('S'))))
    if (!enrolments.some((one) => one.userId === userId))
      checks.push({
        what: `${userId} may approve, but is not enrolled for codes`,
        fix: `node src/main.ts enroll ${userId}`,
        needed: false,
      })
  return checks.length > 0
    ? checks
    : [{ what: 'nobody is enrolled for codes', fix: 'node src/main.ts enroll U0DANA, for each approver' }]
}
