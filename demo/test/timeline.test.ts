import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  hasBrowser,
  listenForProblems,
  openBrowser,
  seriousFaults,
} from '../../packages/slack-workspace/test/browser.ts'
import { waitFor } from '../../test/support/postgres.ts'
import { openPracticeRoom, type PracticeRoom } from '../room.ts'

describe.skipIf(!hasBrowser)('the time line, in a browser', () => {
  let room: PracticeRoom
  let browser: Browser
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    ;[room, browser] = await Promise.all([openPracticeRoom(), openBrowser()])
    page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1440, height: 900 } })
    page.setDefaultTimeout(20_000)
    listenForProblems(page, problems)
  })
  afterAll(async () => {
    await browser?.close()
    await room?.stop()
  })

  it('is dragged back to what the bot recorded, by keyboard and by pointer', async () => {
    await page.goto(room.url)
    const server = page.locator('#panel .server').first()
    const sentence = server.locator('.sentence')
    const line = server.getByRole('slider', { name: 'Time line' })
    await line.waitFor()
    await page.locator('[data-trouble="row-queue"]').click()
    await sentence.getByText('6 sessions wait behind checkout').waitFor()
    // The bot has seen it as well when it has a card.
    await page.locator('.message', { hasText: 'terminate checkout' }).first().waitFor()
    await room.director.stopAll()
    await sentence.getByText('Nobody waits for a lock.').waitFor()

    await line.focus()
    const isJam = /^As the bot saw it at \d\d:\d\d:\d\d: \d sessions? waits? behind checkout/
    await waitFor(async () => {
      await page.keyboard.press('ArrowLeft')
      return isJam.test((await sentence.textContent()) ?? '')
    }, 'the jam, by keyboard')
    await waitFor(async () => (await server.locator('.graph .link').count()) > 0, 'its picture')
    expect(await line.getAttribute('aria-valuetext')).toMatch(/^at \d\d:\d\d:\d\d$/)
    expect(await server.locator('.pill').textContent()).toBe('the past')
    expect(await seriousFaults(page)).toEqual([])

    await page.keyboard.press('Home')
    await sentence.getByText(/^Not seen at .* The bot had recorded nothing by then\.$/).waitFor()
    await waitFor(async () => (await server.locator('.graph .dot:not(.gone)').count()) === 0, 'no picture')
    await server.getByRole('button', { name: 'Now' }).click()
    await sentence.getByText(/^Nobody waits for a lock\.$/).waitFor()
    expect(await line.getAttribute('aria-valuetext')).toBe('now')

    const box = await line.boundingBox()
    if (!box) throw new Error('there is no time line')
    await page.mouse.move(box.x + box.width - 4, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width / 3, box.y + box.height / 2, { steps: 5 })
    await page.mouse.up()
    await sentence.getByText(/^Not seen at/).waitFor()
    expect(problems).toEqual([])
  })
})
