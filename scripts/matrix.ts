import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchPostgres, olderVersions, run } from 'temporary-postgres'

/** `npm run test:matrix [14 16 …]`: the PostgreSQL tests and those of bulk requests on the older versions that are supported. */
type Result = { readonly passed: number; readonly failed: number }

const project = dirname(dirname(fileURLToPath(import.meta.url)))

async function testOn(packageDir: string, major: string): Promise<Result> {
  const scratch = await mkdtemp(join(tmpdir(), 'pg-marshal-matrix-'))
  const report = join(scratch, 'report.json')
  try {
    const vitest = join(project, 'node_modules', 'vitest', 'vitest.mjs')
    const args = [
      vitest,
      'run',
      'test/postgres',
      'test/e2e/bulk',
      '--reporter=default',
      '--reporter=json',
      `--outputFile=${report}`,
    ]
    const env = { PG_MARSHAL_TEST_POSTGRES: packageDir, PG_MARSHAL_TEST_MAJOR: major }
    const error = await run(process.execPath, args, project, { env }).catch((thrown: Error) => thrown)
    if (error) console.log(error.message)
    const { numPassedTests, numFailedTests } = JSON.parse(await readFile(report, 'utf8'))
    // A file that cannot be loaded fails without a failed test.
    return { passed: numPassedTests, failed: error ? Math.max(1, numFailedTests) : numFailedTests }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

let passed = 0
let failed = 0
const chosen = process.argv.slice(2)
for (const [major, version] of Object.entries(olderVersions)) {
  if (chosen.length > 0 && !chosen.includes(major)) continue
  const started = performance.now()
  let result: Result
  try {
    result = await testOn(await fetchPostgres(major), major)
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
