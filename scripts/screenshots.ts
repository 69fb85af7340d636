import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import type { Message } from 'slack-workspace'
import { openPracticeRoom, type PracticeRoom } from '../demo/room.ts'
import { hasBrowser, openBrowser, withoutBrowser } from '../packages/slack-workspace/test/browser.ts'
import { hasButton } from '../test/support/harness.ts'

/** `npm run screenshots`: the README's screenshots, taken from the running practice room. Look at them before you commit. */

const directory = resolve(import.meta.dirname, '../docs/pictures')
const channel = 'C0INCIDENTS'

async function main(): Promise<void> {
  if (!hasBrowser) throw new Error(withoutBrowser)
  await mkdir(directory, { recursive: true })
  const closers: (() => Promise<unknown>)[] = []
  try {
    const room = await openPracticeRoom({
      trouble: ['row-queue'],
      // The second one: a migration behind a report.
      random: () => 0.2,
    })
    closers.push(room.stop)
    const browser = await openBrowser()
    closers.push(() => browser.close())
    await takeJam(room, browser)
    await takeNight(room, browser)
    await takeGameDay(room, browser)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

const say = (name: string) => console.log(`docs/pictures/${name}`)

type Look = { readonly width?: number; readonly height?: number; readonly colorScheme?: 'light' | 'dark' }

async function openPage(room: PracticeRoom, browser: Browser, look: Look = {}): Promise<Page> {
  const { width = 1360, height = 800, colorScheme = 'light' } = look
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: 1.2,
    colorScheme,
    locale: 'en-GB',
    // What moves would be caught in the middle of it.
    reducedMotion: 'reduce',
  })
  await page.goto(`${room.url}/?as=U0DANA`)
  await page.getByRole('heading', { name: 'incidents' }).waitFor()
  return page
}

async function take(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0)
  // The server's view comes twice a second.
  await page.waitForTimeout(700)
  await page.screenshot({ path: join(directory, name) })
  say(name)
}

/** A part of the page, with a little air around it. */
async function takePart(page: Page, selector: string, name: string, text?: string): Promise<void> {
  await page.mouse.move(0, 0)
  await page.waitForTimeout(700)
  const part = page.locator(selector, text ? { hasText: text } : {}).first()
  const box = await part.boundingBox()
  if (!box) throw new Error(`${name}: nothing to see`)
  const air = 8
  await page.screenshot({
    path: join(directory, name),
    clip: { x: box.x, y: box.y - air, width: box.width, height: box.height + 2 * air },
  })
  say(name)
}

/** The first jam: the whole room, the card, and what became of both. */
async function takeJam(room: PracticeRoom, browser: Browser): Promise<void> {
  // Room for the whole card.
  const page = await openPage(room, browser, { height: 920 })
  const approve = page.getByRole('button', { name: /^Approve: terminate/ })
  await approve.waitFor()
  await take(page, 'room.png')
  await takePart(page, '.message', 'card.png', 'checkout')
  await approve.click()
  await page.getByRole('dialog').getByRole('button', { name: 'Terminate' }).click()
  await page
    .locator('.message', { hasText: /Resolved/ })
    .first()
    .waitFor()
  await page.locator('.chip.over').waitFor()
  await takePart(page, '.message', 'done.png', 'checkout')
  await page.close()
  await room.director.stopAll()
}

/** Several jams at once, in the dark; and on a telephone. */
async function takeNight(room: PracticeRoom, browser: Browser): Promise<void> {
  for (const id of ['migration', 'prepared-transaction', 'chain']) await room.director.start(id)
  const page = await openPage(room, browser, { colorScheme: 'dark' })
  await room.workspace.waitFor(
    () => room.workspace.messages(channel).filter(({ text }) => /blocks \d+ sessions/.test(text)).length >= 3,
    { timeoutMs: 30_000, what: 'three cards' },
  )
  await room.workspace.slashCommand({ userId: 'U0DANA', channelId: channel, text: 'sessions' })
  await room.workspace.waitFor(() => room.workspace.messages(channel).at(-1)?.text.includes('wait'), {
    timeoutMs: 10_000,
  })
  await take(page, 'night.png')
  await page.close()

  const phone = await openPage(room, browser, { width: 390, height: 780 })
  await phone.getByRole('button', { name: /^The server/ }).click()
  await take(phone, 'phone.png')
  await phone.close()
  await room.director.stopAll()
}

const isForApproval = (message: Message) =>
  hasButton(message, 'approve_cancel') || hasButton(message, 'approve_terminate')

/** A game day that is ended with the first card that can be approved. */
async function takeGameDay(room: PracticeRoom, browser: Browser): Promise<void> {
  const page = await openPage(room, browser)
  const mayBeApproved = () => room.workspace.messages(channel).some(isForApproval)
  await room.workspace.waitFor(() => !mayBeApproved(), { timeoutMs: 40_000, what: 'the end of earlier jams' })
  await page.getByRole('button', { name: 'Play' }).click()
  await page.locator('.gameday blockquote').waitFor()
  await room.workspace.waitFor(mayBeApproved, { timeoutMs: 40_000, what: 'the card' })
  await page.getByRole('button', { name: /^Approve/ }).click()
  await page.getByRole('dialog').getByRole('button').last().click()
  await page.locator('.report').waitFor()
  const isOpen = (message: Message) => hasButton(message, 'pg_acknowledge')
  await room.workspace.waitFor(() => !room.workspace.messages(channel).some(isOpen), {
    what: 'the end of the card',
  })
  await take(page, 'report.png')
  await page.close()
}

await main()
