import { expect, it } from 'vitest'
import { createAuthenticator } from '../../src/actions/authenticator.ts'

const key = 'a key of sixteen or more'

it('opens what it made, with its key and for its person alone', async () => {
  const { sealed, secret } = await createAuthenticator(key).make('U0DANA')
  expect((await createAuthenticator(key).open('U0DANA', sealed))?.codeAt(7)).toBe(secret.codeAt(7))
  expect(await createAuthenticator(`${key}!`).open('U0DANA', sealed)).toBe(null)
  expect(await createAuthenticator(key).open('U0DEVI', sealed)).toBe(null)
})

it('opens nothing that was changed', async () => {
  const authenticator = createAuthenticator(key)
  const { sealed } = await authenticator.make('U0DANA')
  const bytes = Buffer.from(sealed.slice(3), 'base64url')
  const changed = [0, 16, 28, 44, bytes.length - 1].map((at) => {
    const copy = Buffer.from(bytes)
    copy[at] = (copy[at] ?? 0) ^ 1
    return `v1.${copy.toString('base64url')}`
  })
  const cut = `v1.${bytes.subarray(0, -1).toString('base64url')}`
  for (const one of [...changed, cut, `v2${sealed.slice(2)}`, '', 'v1', 'v1.'])
    expect(await authenticator.open('U0DANA', one), one).toBe(null)
})

it('makes another secret, and another ciphertext, each time', async () => {
  const authenticator = createAuthenticator(key)
  const made = await Promise.all([authenticator.make('U0DANA'), authenticator.make('U0DANA')])
  expect(new Set(made.map(({ secret }) => secret.address())).size).toBe(2)
  expect(new Set(made.map(({ sealed }) => sealed)).size).toBe(2)
})

it('has nothing of the secret in what is stored', async () => {
  const { sealed, secret } = await createAuthenticator(key).make('U0DANA')
  const base32 = new URL(secret.address()).searchParams.get('secret') ?? ''
  expect(base32).toMatch(/^[A-Z2-7]{32}$/)
  expect(Buffer.from(sealed.slice(3), 'base64url')).toHaveLength(16 + 12 + 16 + 20)
  expect(sealed).not.toContain(base32)
})

it('shows an app all that it needs', async () => {
  const { secret } = await createAuthenticator(key).make('U0DANA')
  expect(secret.address()).toMatch(
    /^otpauth:\/\/totp\/pg-marshal:U0DANA\?issuer=pg-marshal&secret=[A-Z2-7]{32}&algorithm=SHA1&digits=6&period=30$/,
  )
})
