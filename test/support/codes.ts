import { TOTP, URI } from 'otpauth'
import { parseConfig } from '../../src/config/config.ts'
import { enroll } from '../../src/terminal/enroll.ts'
import type { Room } from './harness.ts'

/** Authenticator app of one person. */
export type Phone = {
  /** The code of the step so many after the present one. */
  code(stepsAway?: number): string
  /** Six digits that are no code of about now. */
  wrong(): string
}

/** The key in the environment, as `openssl rand` makes it. */
export const secret = 'Zm9yIHRlc3RzIG9ubHksIDMyIGJ5dGVzIGxvbmc='

/** Runs `enroll` for a room, and returns what it wrote. */
export async function runEnroll(
  room: Pick<Room, 'yaml' | 'env'>,
  what: 'add' | 'list' | 'remove',
  userId = '',
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let out = ''
  let err = ''
  const code = await enroll({
    what,
    userId,
    config: parseConfig(room.yaml, room.env),
    out: { write: (text: string) => (out += text) },
    err: { write: (text: string) => (err += text) },
    now: Date.now,
  })
  return { code, out, err }
}

/** Scans what `enroll` shows. */
export async function enrolled(room: Room, userId: string): Promise<Phone> {
  room.env.PG_MARSHAL_SECRET = secret
  const { out } = await runEnroll(room, 'add', userId)
  return phoneOf(out)
}

/** Reads the address in what was printed. */
export function phoneOf(printed: string): Phone {
  const totp = URI.parse(/otpauth:\/\/\S+/.exec(printed)?.[0] ?? '')
  if (!(totp instanceof TOTP)) throw new Error('no address of TOTP')
  const code = (stepsAway = 0) => totp.generate({ timestamp: Date.now() + stepsAway * 30_000 })
  return {
    code,
    wrong() {
      const right = [-2, -1, 0, 1, 2].map(code)
      for (let n = 0; ; n++) {
        const guess = String(n).padStart(6, '0')
        if (!right.includes(guess)) return guess
      }
    },
  }
}
