/** Encryption and login in the address of a server, in the words of libpq. */

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const
export type SslMode = (typeof sslModes)[number]

/** Ways in which a server may ask for the password: names of libpq's require_auth. */
export const loginMethods = ['none', 'password', 'md5', 'scram-sha-256'] as const
export type LoginMethod = (typeof loginMethods)[number]

const certificateSettings = ['sslrootcert', 'sslcert', 'sslkey'] as const
export type CertificateSetting = (typeof certificateSettings)[number]

export type DatabaseUrl = {
  /** The address without the settings below: for the driver, which understands some of it in another way. */
  readonly bare: string
  readonly host: string
  /** Null: not said. */
  readonly sslMode: SslMode | null
  /** The files, by the setting that names them. */
  readonly files: Readonly<Partial<Record<CertificateSetting, string>>>
  /** Null: not said. */
  readonly loginMethods: readonly LoginMethod[] | null
}

/** The parts, or one sentence on what is wrong; it never holds what stands in the url. */
export function readDatabaseUrl(text: string): DatabaseUrl | { readonly problem: string } {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null)
    return { problem: 'The url is no connection string like postgres://user:password@host:5432/database.' }
  const take = (name: string) => {
    const value = url.searchParams.get(name)
    url.searchParams.delete(name)
    return value
  }
  const mode = take('sslmode')
  const sslMode = sslModes.find((known) => known === mode) ?? null
  if (mode !== null && sslMode === null)
    return { problem: `sslmode in the url is none that is known: write one of ${sslModes.join(', ')}.` }
  const asked = take('require_auth')
  const methods = asked?.split(',').map((name) => loginMethods.find((known) => known === name.trim())) ?? null
  if (methods?.includes(undefined))
    return { problem: `require_auth in the url is a list of ${loginMethods.join(', ')}, without !.` }
  const files = Object.fromEntries(
    certificateSettings.flatMap((name) => {
      const path = take(name)
      return path ? [[name, path]] : []
    }),
  )
  if (sslMode === 'disable' && Object.keys(files).length > 0)
    return { problem: 'The url names a certificate, and sslmode=disable: write sslmode=verify-full.' }
  take('uselibpqcompat')
  return {
    bare: url.href,
    host: url.searchParams.get('host') ?? decodeURIComponent(url.hostname),
    sslMode,
    files,
    loginMethods: methods?.filter((method) => method !== undefined) ?? null,
  }
}

/** Returns true where the url says the password itself, in either of the two ways that the driver knows. */
export function hasPassword(text: string): boolean {
  const url = new URL(text)
  return url.password !== '' || url.searchParams.has('password')
}

const isLocal = (host: string) =>
  host === '' || host.startsWith('/') || /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)

/** Says what somebody on the way could read or do with this url; null when nothing. */
export function urlAdvice(url: DatabaseUrl, envMode: string | undefined): string | null {
  const mode = url.sslMode ?? sslModes.find((known) => known === envMode) ?? null
  const hasFiles = Object.keys(url.files).length > 0
  if (url.loginMethods?.some((method) => method === 'password' || method === 'md5') && !isLocal(url.host))
    return 'require_auth in the url lets whoever answers ask for the password: use scram-sha-256 on the server, and leave it out.'
  if (isLocal(url.host)) return null
  if (mode === 'no-verify')
    return 'sslmode=no-verify takes every certificate, so anybody on the way can read along: write sslmode=verify-full, with sslrootcert where the authority is your own.'
  return (mode === null && !hasFiles) || mode === 'disable'
    ? 'Nothing is encrypted: who is on the way reads statements and changes what is seen. End the url with ?sslmode=verify-full, with sslrootcert where the authority is your own.'
    : null
}

/** Returns the port in the address of a server. */
export function portIn(text: string): number {
  const url = new URL(text)
  return Number(url.port || url.searchParams.get('port') || 5432)
}
