import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'vitest'
import { hasPromtool } from '../support/deployTools.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const promtool = (...args: string[]) => execFileSync('promtool', args, { cwd: project, stdio: 'pipe' })

// Debian has it in its package prometheus; .ci/run brings it.
describe.skipIf(!hasPromtool)('the alerts, in promtool', () => {
  it('are rules', () => {
    promtool('check', 'rules', '--lint-fatal', 'deploy/helm/files/prometheus-alerts.yml')
  })

  it('fire when they should, and not before', () => {
    promtool('test', 'rules', 'test/deploy/alerts.yml')
  })

  it('are loaded by a configuration that is one', () => {
    promtool('check', 'config', '--syntax-only', 'deploy/prometheus.yml')
  })
})
