import { execFile } from 'node:child_process'
import { mkdir, rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

/**
 * Commit of the version that is replaced in a rolling upgrade. No release knows a store of several replicas yet, so it is
 * the last one before the newest migration (009_history); the next release puts its tag here.
 */
const commit = 'f5cd0528e1c7cf5e3e14e2efc770a9c4ed35b19c'

const repository = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

/**
 * Unpacks the code of the version before, which runs on the modules that are installed here.
 * @param directory is made
 * @returns path of its main.ts; null where its commit is not here, as in a shallow clone
 */
export async function unpackVersionBefore(directory: string): Promise<string | null> {
  const git = (...args: string[]) => run('git', ['-C', repository, ...args])
  const isHere = await git('cat-file', '-e', `${commit}^{commit}`).then(
    () => true,
    () => false,
  )
  if (!isHere) return null
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const archive = join(directory, 'before.tar')
  await git('archive', '--output', archive, commit, 'src', 'package.json')
  await run('tar', ['-xf', archive, '-C', directory])
  await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'))
  return join(directory, 'src/main.ts')
}

/** Sentence for people, where there is none. */
export const noVersionBefore = `Rolling upgrades are left out: this clone has no commit ${commit.slice(0, 7)}, whose code they begin with. A full clone has it.`
