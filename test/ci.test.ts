import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../.ci/run', import.meta.url))

/** Runs it with programs in place of npm, and of what it would fetch. */
function run(tests: string, matrix: string) {
  const programs = mkdtempSync(join(tmpdir(), 'pg-marshal-ci-'))
  try {
    const npm = `case "$*" in test) ${tests};; 'run test:matrix') ${matrix};; esac`
    for (const [name, body] of Object.entries({ npm, chromium: '', pgbouncer: '', promtool: '' })) {
      writeFileSync(join(programs, name), `#!/bin/sh\n${body}\n`)
      chmodSync(join(programs, name), 0o755)
    }
    const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` }
    const { status, stdout } = spawnSync(script, { env, encoding: 'utf8' })
    return { status, last: stdout.trimEnd().split('\n').at(-1) }
  } finally {
    rmSync(programs, { recursive: true, force: true })
  }
}

const printing = (code: number, ...lines: string[]) =>
  `${lines.map((line) => `echo '${line}'`).join('; ')}; exit ${code}`

it.each([
  [
    'all passed',
    printing(0, '      Tests  7 passed | 1 skipped (8)'),
    printing(0, 'PostgreSQL 14.23: 3 tests passed, 0 failed, in 9 s', '3 passed, 0 failed'),
    { status: 0, last: '10 passed, 0 failed' },
  ],
  [
    'some failed, and those of an older version are shown as vitest does',
    printing(1, '      Tests  2 failed | 5 passed (7)'),
    printing(
      1,
      '      Tests  1 failed | 2 passed (3)',
      'PostgreSQL 14.23: 2 tests passed, 1 failed, in 9 s',
      '2 passed, 1 failed',
      'npm error code 1',
    ),
    { status: 1, last: '7 passed, 3 failed' },
  ],
  [
    'it failed before any test ran',
    printing(2, 'error TS2322'),
    printing(0, '3 passed, 0 failed'),
    { status: 1, last: '3 passed, 1 failed' },
  ],
])('.ci/run counts each test once where %s', (_, tests, matrix, told) => {
  expect(run(tests, matrix)).toEqual(told)
})
