import { userInfo } from 'node:os'
import encodeQR from 'qr'
import { createAuthenticator } from '../actions/authenticator.ts'
import { type Config, requireSecret } from '../config/config.ts'
import { bot } from '../domain/approvals/journal.ts'
import { freshMemory, lockedUntil } from '../domain/approvals/secondFactor.ts'
import { besideBot } from '../store/beside.ts'
import type { Out } from './out.ts'

/**
 * `enroll`: makes the secret of somebody's authenticator app, and shows it once; lists who is enrolled; takes somebody off.
 * Only here, on the machine: who has somebody's Slack session alone cannot enrol.
 * @returns 0 when it was done, 1 when nothing was to be done, 2 when it could not be done
 */
export async function enroll({
  what,
  userId,
  config,
  out,
  err,
  now,
}: {
  readonly what: 'add' | 'list' | 'remove'
  readonly userId: string
  readonly config: Config
  readonly out: Out
  readonly err: Out
  readonly now: () => number
}): Promise<0 | 1 | 2> {
  if (what === 'list') {
    const all = await besideBot(config.store, ({ secondFactors }) => secondFactors.all())
    for (const one of all) {
      const until = lockedUntil(one, now())
      const state = until === null ? '' : `, locked until ${timeOf(until)}`
      out.write(`${one.userId}  enrolled ${timeOf(one.enrolledAt)}${state}\n`)
    }
    if (all.length === 0) out.write('Nobody is enrolled.\n')
    return 0
  }
  if (!/^[UW][A-Z0-9]+$/.test(userId)) {
    err.write(
      `"${userId}" is no user id. Write one like U0DANA (in Slack: profile, ⋮, "Copy member ID"); each person of a group is enrolled alone.\n`,
    )
    return 2
  }
  const by = userInfo().username
  if (what === 'remove') {
    const wasThere = await besideBot(config.store, async ({ secondFactors, journal }) => {
      if (!(await secondFactors.remove(userId))) return false
      await journal.append(now(), null, { kind: 'unenrolled', actor: bot, userId, by })
      return true
    })
    out.write(wasThere ? `${userId} is not enrolled any more.\n` : `${userId} was not enrolled.\n`)
    return wasThere ? 0 : 1
  }

  const { sealed, secret } = await createAuthenticator(requireSecret(config)).make(userId)
  const isNew = await besideBot(config.store, async ({ secondFactors, journal }) => {
    if (!(await secondFactors.enroll({ userId, sealed, enrolledAt: now(), ...freshMemory }))) return false
    await journal.append(now(), null, { kind: 'enrolled', actor: bot, userId, by })
    return true
  })
  if (!isNew) {
    err.write(
      `${userId} is enrolled already, and nothing was changed. For a new telephone: enroll --remove ${userId}, then enroll ${userId}.\n`,
    )
    return 1
  }
  const address = secret.address()
  out.write(
    `${encodeQR(address, 'ascii')}\n${address}\n\n${userId} scans this with an authenticator app. It is shown this once: clear the screen when it is done.\n`,
  )
  return 0
}

const timeOf = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
