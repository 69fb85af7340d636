import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { Secret, TOTP, URI } from 'otpauth'
import { stepMs } from '../domain/approvals/secondFactor.ts'

/** Secret of one person's authenticator app, in clear: never log it, never store it. */
export type OpenSecret = {
  /** Returns the six digits that the app shows at a time step. */
  codeAt(step: number): string
  /** Returns the address that an app reads from a QR code. */
  address(): string
}

/**
 * Makes, encrypts and opens the secrets of authenticator apps. What the store has is of no use without the key, which is
 * in the environment alone.
 */
export type Authenticator = {
  make(userId: string): Promise<{ readonly sealed: string; readonly secret: OpenSecret }>
  /** Null where it was encrypted with another key, for another person, or changed since. */
  open(userId: string, sealed: string): Promise<OpenSecret | null>
}

/** 160 bits, as RFC 4226 recommends: https://www.rfc-editor.org/rfc/rfc4226#section-4 */
const secretBytes = 20
const saltBytes = 16
/** https://csrc.nist.gov/pubs/sp/800/38/d/final */
const nonceBytes = 12
const tagBytes = 16
const version = 'v1'

/** A guess of the key costs 32 MB and about a tenth of a second. */
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 2 ** 20 }
const derive = promisify<string, Buffer, number, typeof cost, Buffer>(scrypt)

/** @param key the text of PG_MARSHAL_SECRET */
export function createAuthenticator(key: string): Authenticator {
  return {
    async make(userId) {
      const secret = randomBytes(secretBytes)
      const salt = randomBytes(saltBytes)
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', await derive(key, salt, 32, cost), nonce)
      cipher.setAAD(boundTo(userId))
      const body = Buffer.concat([cipher.update(secret), cipher.final()])
      const sealed = Buffer.concat([salt, nonce, cipher.getAuthTag(), body]).toString('base64url')
      return { sealed: `${version}.${sealed}`, secret: openSecret(userId, secret) }
    },

    async open(userId, sealed) {
      const [is, text = ''] = sealed.split('.')
      const bytes = Buffer.from(text, 'base64url')
      const salt = bytes.subarray(0, saltBytes)
      const nonce = bytes.subarray(saltBytes, saltBytes + nonceBytes)
      const tag = bytes.subarray(saltBytes + nonceBytes, saltBytes + nonceBytes + tagBytes)
      const body = bytes.subarray(saltBytes + nonceBytes + tagBytes)
      if (is !== version || body.length !== secretBytes) return null
      const decipher = createDecipheriv('aes-256-gcm', await derive(key, salt, 32, cost), nonce, {
        authTagLength: tagBytes,
      })
      decipher.setAAD(boundTo(userId))
      decipher.setAuthTag(tag)
      try {
        return openSecret(userId, Buffer.concat([decipher.update(body), decipher.final()]))
      } catch {
        // The tag does not fit: GCM says no more than that.
        return null
      }
    },
  }
}

/** Binds what is encrypted to one person: it opens for nobody else, wherever its row is copied to. */
const boundTo = (userId: string): Buffer => Buffer.from(`pg-marshal second factor ${version} ${userId}`)

/** Makes of the bytes of a secret what an app makes of them. */
export function openSecret(userId: string, bytes: Uint8Array): OpenSecret {
  const totp = new TOTP({
    issuer: 'pg-marshal',
    label: userId,
    algorithm: 'SHA1',
    digits: 6,
    period: stepMs / 1000,
    secret: new Secret({ buffer: Uint8Array.from(bytes).buffer }),
  })
  return {
    codeAt: (step) => totp.generate({ timestamp: step * stepMs }),
    address: () => URI.stringify(totp),
  }
}
