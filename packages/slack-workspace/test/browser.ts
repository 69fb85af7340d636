import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** The tests of the page need a browser; without one they are skipped. */
export const hasBrowser = existsSync(executablePath)
export const withoutBrowser = `No Chromium at ${executablePath}: the tests of the page are skipped.`

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

/** Everything that the page complains of. */
export function listenForProblems(page: Page, problems: string[]): void {
  page.on('console', (entry) => {
    if (entry.type() === 'error') problems.push(entry.text())
  })
  page.on('pageerror', (error) => problems.push(String(error)))
}
