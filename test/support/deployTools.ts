import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'

/** Directory that `npm run deploy:tools` fills. */
export const deployTools = fileURLToPath(
  new URL('../../node_modules/.cache/pg-marshal/deploy-tools', import.meta.url),
)
export const helmPath = `${deployTools}/helm`
export const hasDeployTools = existsSync(helmPath) && process.platform === 'linux' && process.arch === 'x64'

export const hasPromtool = answers('promtool', '--version')

/** Imports a module of the fetched packages. */
export const fetched = (module: string): Promise<Record<string, unknown>> =>
  import(`${deployTools}/node_modules/${module}`)

/** Unpacks one file of a zip archive as an executable. */
export async function unpack(archive: string, name: string, target: string): Promise<void> {
  const zip = await readFile(archive)
  // https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT: 4.3.16 the end, 4.3.12 an entry, 4.3.7 what it is before.
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  let entry = zip.readUInt32LE(end + 16)
  while (zip.readUInt32LE(entry) === 0x02014b50) {
    const [nameLength, extra, comment] = [28, 30, 32].map((at) => zip.readUInt16LE(entry + at))
    const next = entry + 46 + (nameLength ?? 0) + (extra ?? 0) + (comment ?? 0)
    if (zip.toString('utf8', entry + 46, entry + 46 + (nameLength ?? 0)) === name) {
      const local = zip.readUInt32LE(entry + 42)
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
      const packed = zip.subarray(start, start + zip.readUInt32LE(entry + 20))
      const content = zip.readUInt16LE(entry + 10) === 8 ? inflateRawSync(packed) : packed
      await writeFile(`${target}.part`, content)
      await chmod(`${target}.part`, 0o755)
      return rename(`${target}.part`, target)
    }
    entry = next
  }
  throw new Error(`${archive} has no ${name}`)
}

function answers(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
